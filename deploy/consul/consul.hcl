# One server: the catalogue of the platform's own processes, and the DNS by which the gateway finds them.
datacenter       = "dc1"
node_name        = "sutazai"
server           = true
bootstrap_expect = 1
data_dir         = "/consul/data"
client_addr      = "0.0.0.0"
log_level        = "WARN"

ports {
  http     = 8500
  dns      = 8600
  grpc     = -1
  grpc_tls = -1
}

# Names of containers are Docker's own to resolve.
recursors = ["127.0.0.11"]

dns_config {
  # Neither warning nor critical: who drains says so at once and is named no more.
  only_passing = true
  service_ttl {
    "*" = "1s"
  }
  # Both the address and the port of each process.
  enable_truncate = true
  udp_answer_limit = 8
}

performance {
  raft_multiplier = 1
}

disable_update_check       = true
disable_remote_exec        = true
enable_script_checks       = false
enable_local_script_checks = false
check_update_interval      = "0s"
leave_on_terminate         = false
