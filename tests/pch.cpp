// SPDX-License-Identifier: Apache-2.0
// Nothing but a place for the precompiled header of LibTorch, which the tests share.
