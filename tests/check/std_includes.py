#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a precompiled header would hide from the compiler: that each header includes what it names of the
standard library, itself, and what it names of other libraries, itself or by a header of jessl.

Usage: std_includes.py [folder that holds include/]. Prints one line a finding.
"""
import pathlib
import re
import sys

TOP = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
ROOT = TOP / "include" / "jessl"

# What the standard says is in a header, as far as it is used here. A name that is in none of them is a finding too.
CONTENTS = {
    "algorithm": "binary_search all_of any_of none_of clamp copy copy_n count count_if equal equal_range fill fill_n find find_if "
                 "find_if_not for_each is_sorted lexicographical_compare lower_bound max max_element min min_element minmax "
                 "minmax_element mismatch nth_element partial_sort partition stable_partition push_heap pop_heap make_heap remove remove_if replace "
                 "reverse rotate search sort sort_heap stable_sort swap_ranges transform unique upper_bound generate adjacent_find",
    "array": "array to_array",
    "atomic": "atomic atomic_bool memory_order_acquire memory_order_relaxed memory_order_release memory_order_acq_rel "
              "memory_order_seq_cst atomic_ref",
    "bit": "bit_cast bit_ceil bit_width countl_zero countr_zero endian has_single_bit popcount rotl rotr",
    "charconv": "from_chars to_chars from_chars_result to_chars_result",
    "chrono": "chrono",
    "cmath": "abs ceil copysign cos erf exp exp2 expm1 fabs floor fma fmod hypot ilogb isfinite isinf isnan ldexp llround log log10 log1p log2 lround nearbyint nextafter "
             "pow rint round sin sqrt tan tanh trunc atan2 lrint",
    "concepts": "convertible_to copy_constructible copyable default_initializable derived_from destructible equality_comparable "
                "floating_point integral invocable movable move_constructible same_as semiregular signed_integral "
                "unsigned_integral regular constructible_from predicate regular_invocable",
    "condition_variable": "condition_variable",
    "coroutine": "coroutine_handle suspend_always",
    "csetjmp": "jmp_buf longjmp",
    "csignal": "raise sig_atomic_t signal",
    "cstddef": "byte ptrdiff_t size_t to_integer nullptr_t max_align_t",
    "cstdint": "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t uintptr_t intptr_t",
    "cstdio": "fclose FILE fflush fopen fputs fread fwrite remove rename snprintf fprintf printf ferror feof fseek ftell perror "
              "rewind setvbuf fileno",
    "cstdlib": "getenv free malloc EXIT_FAILURE EXIT_SUCCESS strtod strtoll aligned_alloc",
    "cstring": "memchr memcmp memcpy memmove memset strerror strlen strcmp",
    "ctime": "time_t tm localtime gmtime strftime time",
    "deque": "deque",
    "exception": "exception exception_ptr current_exception rethrow_exception uncaught_exceptions",
    "filesystem": "filesystem",
    "fstream": "ifstream ofstream fstream",
    "functional": "function hash less greater plus minus multiplies reference_wrapper ref cref invoke equal_to",
    "initializer_list": "initializer_list",
    "iomanip": "setprecision setw setfill",
    "ios": "streamoff ios ios_base fixed left right hex dec scientific streamsize defaultfloat",
    "iostream": "cout cerr clog cin",
    "iterator": "back_inserter begin end distance next prev size data forward_iterator input_iterator iterator_traits "
                "default_sentinel_t default_sentinel input_iterator_tag forward_iterator_tag make_move_iterator "
                "istreambuf_iterator contiguous_iterator advance ssize sentinel_for",
    "limits": "numeric_limits",
    "list": "list",
    "locale": "locale numpunct",
    "map": "map multimap",
    "memory": "allocator make_shared make_unique shared_ptr unique_ptr weak_ptr addressof construct_at destroy_at "
              "allocator_traits enable_shared_from_this static_pointer_cast dynamic_pointer_cast",
    "memory_resource": "pmr",
    "mutex": "lock_guard mutex once_flag call_once scoped_lock unique_lock defer_lock",
    "new": "align_val_t bad_alloc launder nothrow",
    "numbers": "numbers",
    "numeric": "accumulate gcd iota lcm partial_sum reduce inner_product exclusive_scan midpoint",
    "optional": "optional nullopt make_optional nullopt_t",
    "ostream": "ostream endl flush",
    "istream": "istream getline",
    "random": "mt19937 mt19937_64",
    "ranges": "ranges views",
    "ratio": "milli micro",
    "regex": "regex",
    "set": "set multiset",
    "shared_mutex": "shared_mutex shared_lock",
    "span": "span as_bytes as_writable_bytes dynamic_extent",
    "sstream": "istringstream ostringstream stringstream",
    "stdexcept": "invalid_argument logic_error out_of_range runtime_error length_error",
    "stop_token": "stop_token stop_source",
    "string": "string to_string stoll stoi stod char_traits getline basic_string",
    "string_view": "string_view",
    "system_error": "errc error_code system_category system_error generic_category make_error_code",
    "thread": "jthread thread this_thread",
    "tuple": "apply get ignore make_tuple tie tuple tuple_cat tuple_element_t tuple_size tuple_size_v forward_as_tuple",
    "type_traits": "add_const_t common_type_t conditional_t decay_t enable_if_t false_type integral_constant is_aggregate_v "
                   "is_arithmetic_v is_base_of_v is_class_v is_const_v is_constructible_v is_convertible_v "
                   "is_default_constructible_v is_enum_v is_floating_point_v is_integral_v is_invocable_v "
                   "is_member_object_pointer_v is_nothrow_move_constructible_v is_pointer_v is_reference_v is_same_v is_signed_v is_trivially_copyable_v "
                   "is_unsigned_v is_void_v make_signed_t make_unsigned_t remove_const_t remove_cv_t remove_cvref_t "
                   "remove_pointer_t remove_reference_t true_type type_identity type_identity_t underlying_type_t void_t "
                   "invoke_result_t bool_constant is_invocable_r_v is_empty_v is_lvalue_reference_v add_lvalue_reference_t is_empty is_standard_layout_v "
                   "is_constant_evaluated is_same",
    "typeinfo": "type_info",
    "typeindex": "type_index",
    "unordered_map": "unordered_map",
    "unordered_set": "unordered_set",
    "utility": "as_const cmp_equal cmp_less cmp_greater cmp_less_equal cmp_greater_equal declval exchange forward in_place "
               "index_sequence index_sequence_for integer_sequence make_index_sequence move pair swap in_range make_pair in_place_t",
    "valarray": "valarray",
    "variant": "get get_if holds_alternative monostate variant visit",
    "vector": "vector erase_if",
    "version": "",
}
# Headers that the standard, or every library, gives with another.
BRINGS = {"iostream": {"ios", "ostream", "istream"}, "sstream": {"ios", "ostream", "istream", "string"}, "fstream": {"ios", "ostream", "istream"},
          "iomanip": {"ios"}, "ostream": {"ios"}, "istream": {"ios"}, "string": {"initializer_list"}, "vector": {"initializer_list"},
          "cstdio": {"cstddef"}, "cstring": {"cstddef"}, "cstdlib": {"cstddef"}, "numeric": set()}
# Names with an overload in many headers: any container or view of these will do.
RANGE_ACCESS = {"begin", "end", "size", "data", "ssize"}
CONTAINERS = {"array", "vector", "string", "span", "string_view", "map", "set", "deque", "iterator"}

HOMES = {}
for home, names in CONTENTS.items():
    for symbol in names.split():
        HOMES.setdefault(symbol, set()).add(home)
for symbol in RANGE_ACCESS:
    HOMES[symbol] = HOMES.get(symbol, set()) | CONTAINERS
HOMES["get"] |= {"array", "utility"}
HOMES["swap"] |= {"algorithm"}
HOMES["move"] |= {"algorithm"}
HOMES["tuple_size_v"] |= {"array", "utility"}
HOMES["tuple_element_t"] |= {"array", "utility"}
HOMES["hash"] |= {"string", "string_view"}
HOMES["abs"] |= {"cstdlib"}
HOMES["size_t"] |= {"cstdlib", "cstring", "cstdio"}
HOMES["getline"] |= {"istream"}
HOMES["exception_ptr"] |= set()
HOMES["remove"] |= {"cstdio"}


def without_comments(text):
    """The code alone: comments and the insides of string literals are blanked, lines kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: '""' if m[0].startswith(('"', "R")) else "\n" * m[0].count("\n"), text, flags=re.S)


# What names of other libraries begin with, and how the path of a header begins that declares them.
OTHERS = {r"\b(?:boost::)?hana::|\bBOOST_HANA_": "boost/hana/", r"\bBOOST_PP_": "boost/preprocessor/", r"\bnlohmann::": "nlohmann/", r"\bEigen::": "Eigen/",
          r"\b(?:torch|at|c10)::": "torch/", r"\bumappp::": "umappp/"}


def reached(header, seen):
    """All that a header includes, itself or by headers of jessl."""
    for include in re.findall(r"^\s*#\s*include\s*<([^>]+)>", header.read_text(), re.M):
        if include not in seen:
            seen.add(include)
            if include.startswith("jessl/") and (TOP / "include" / include).exists():
                reached(TOP / "include" / include, seen)
    return seen


findings = []
headers = sorted(ROOT.rglob("*.hpp"))
for header in headers:
    code = without_comments(header.read_text())
    included = set(re.findall(r"^\s*#\s*include\s*<([a-z_]+)>", code, re.M))
    given = included.union(*(BRINGS.get(i, set()) for i in included))
    told = set()
    for match in re.finditer(r"\bstd::(\w+)", code):
        symbol, line = match[1], code[:match.start()].count("\n") + 1
        if symbol in told or HOMES.get(symbol, set()) & given:
            continue
        told.add(symbol)
        where = f"{header.relative_to(TOP)}:{line}: std::{symbol}"
        if symbol in HOMES:
            findings.append(f"{where} needs #include <{'> or <'.join(sorted(HOMES[symbol]))}>")
        else:
            findings.append(f"{where} is in no header that tests/check/std_includes.py knows; add it there")
    for names, begin in OTHERS.items():
        match = re.search(names, code)
        if match and not any(include.startswith(begin) for include in reached(header, set())):
            line = code[:match.start()].count("\n") + 1
            findings.append(f"{header.relative_to(TOP)}:{line}: {match[0]} needs an #include <{begin}...>")

if not headers:
    findings.append("there is no header in include/jessl")
print("\n".join(findings) or f"{len(headers)} headers include what they name of the standard library")
sys.exit(bool(findings))
