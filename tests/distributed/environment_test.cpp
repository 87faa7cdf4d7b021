// SPDX-License-Identifier: Apache-2.0
// What launchers tell a process, and what is said where they tell too little.
#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <string>

#include <jessl/core/error.hpp>
#include <jessl/distributed/environment.hpp>

using namespace jessl;
using Catch::Contains;

namespace {

distributed::Environment read(const std::map<std::string, std::string>& variables) {
  return distributed::read_environment([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace

TEST_CASE("read_environment: a process that nobody launched is alone", "[distributed][environment]") {
  const auto alone = read({{"PATH", "/bin"}, {"MASTER_PORT", "1"}, {"SLURM_JOB_ID", "7"}});
  CHECK(alone.size == 1);
  CHECK(alone.rank == 0);
  CHECK(alone.launcher.empty());
}

TEST_CASE("read_environment: torchrun", "[distributed][environment]") {
  std::map<std::string, std::string> variables{
      {"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}, {"MASTER_ADDR", "gpu7"}, {"MASTER_PORT", "29500"}};
  auto found = read(variables);
  CHECK(found.launcher == "torchrun");
  CHECK(found.rank == 5);
  CHECK(found.size == 8);
  CHECK(found.local_rank == 1);
  CHECK(found.address == "gpu7");
  CHECK(found.port == 29500);
  CHECK_FALSE(found.has_host);
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  variables["TORCHELASTIC_RESTART_COUNT"] = "2";
  found = read(variables);
  CHECK(found.has_host);
  CHECK(found.attempt == "2");
  CHECK(read({{"RANK", "0"}, {"WORLD_SIZE", "1"}}).size == 1);
}

TEST_CASE("read_environment: SLURM", "[distributed][environment]") {
  std::map<std::string, std::string> variables{{"SLURM_PROCID", "3"},
                                               {"SLURM_NTASKS", "64"},
                                               {"SLURM_LOCALID", "3"},
                                               {"SLURM_JOB_NODELIST", "node[007-012,020],login1"},
                                               {"SLURM_JOB_ID", "4711"}};
  auto found = read(variables);
  CHECK(found.launcher == "SLURM");
  CHECK(found.rank == 3);
  CHECK(found.size == 64);
  CHECK(found.address == "node007");
  CHECK((found.port >= 15000 && found.port < 30000));
  CHECK(read(variables).port == found.port);
  variables["SLURM_STEP_NUM_TASKS"] = "16";  // srun takes some of the job's tasks
  variables["SLURM_STEP_NODELIST"] = "login1,node007";
  variables["SLURM_STEP_ID"] = "1";
  found = read(variables);
  CHECK(found.size == 16);
  CHECK(found.address == "login1");
  for (const auto& [list, first] :
       {std::pair{"n[3]-ib", "n3-ib"}, {"n[3-4]-ib,m1", "n3-ib"}, {"rack[1-2]n[03,7],m", "rack1n03"}, {"one", "one"}}) {
    variables["SLURM_STEP_NODELIST"] = list;
    CHECK(read(variables).address == first);
  }
  variables["MASTER_ADDR"] = "10.0.0.1";
  variables["MASTER_PORT"] = "1234";
  CHECK(read(variables).address == "10.0.0.1");
  CHECK(read(variables).port == 1234);
}

TEST_CASE("read_environment: Open MPI", "[distributed][environment]") {
  std::map<std::string, std::string> variables{{"OMPI_COMM_WORLD_RANK", "1"},
                                               {"OMPI_COMM_WORLD_SIZE", "4"},
                                               {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                                               {"PMIX_NAMESPACE", "1234@1"}};
  const auto found = read(variables);
  CHECK(found.launcher == "Open MPI");
  CHECK(found.address == "127.0.0.1");
  CHECK((found.port >= 15000 && found.port < 30000));
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "2";  // several machines
  CHECK_THROWS_WITH(read(variables), Contains("MASTER_ADDR is not set"));
}

TEST_CASE("read_environment: what is missing or wrong is named", "[distributed][environment]") {
  CHECK_THROWS_WITH(read({{"RANK", "0"}}), Contains("WORLD_SIZE is not set"));
  CHECK_THROWS_WITH(read({{"WORLD_SIZE", "2"}}), Contains("RANK is not set"));
  CHECK_THROWS_WITH(read({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), Contains("MASTER_ADDR is not set"));
  CHECK_THROWS_WITH(read({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
                    Contains("RANK is \"2\", expected a whole number from 0 to 1"));
  CHECK_THROWS_WITH(read({{"RANK", "0"}, {"WORLD_SIZE", "2x"}}), Contains("WORLD_SIZE is \"2x\""));
  CHECK_THROWS_WITH(read({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}, {"MASTER_PORT", "70000"}}),
                    Contains("MASTER_PORT is \"70000\""));
  CHECK_THROWS_AS(read({{"SLURM_PROCID", "0"}}), ConfigError);
}
