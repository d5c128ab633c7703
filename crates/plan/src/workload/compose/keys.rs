//! The keys of a compose file and what may stand under each: the schema of the compose specification as the package
//! compose-go 2.4.8 has it, which docker-compose 2.26.1 of Debian 13 is made with.
//!
//! The program's schema takes any text where a number, a size or a duration is meant, and fails later; here the form of
//! the text is part of it.

use super::shape::{Keys, Shape};
use super::values;
use crate::workload::scalar::Scalar;

const TEXTS: &[Scalar] = &[Scalar::Text];
const FLAGS: &[Scalar] = &[Scalar::Boolean, Scalar::Text];
const INTEGERS: &[Scalar] = &[Scalar::Integer, Scalar::Text];
const NUMBERS: &[Scalar] = &[Scalar::Integer, Scalar::Number, Scalar::Text];
const VALUES: &[Scalar] =
    &[Scalar::Null, Scalar::Boolean, Scalar::Integer, Scalar::Number, Scalar::Date, Scalar::Text];

static TEXT: Shape = Shape::expecting("text, in quotes if it looks like something else").scalar(TEXTS);
static FLAG: Shape = Shape::expecting("true or false").scalar(FLAGS).form(values::is_boolean);
static BOOLEAN: Shape = Shape::expecting("true or false, without quotes").scalar(&[Scalar::Boolean]);
static INTEGER: Shape = Shape::expecting("a whole number").scalar(INTEGERS).form(values::is_integer);
static WHOLE: Shape = Shape::expecting("a whole number").scalar(NUMBERS).form(values::is_integer);
static NUMBER: Shape = Shape::expecting("a number").scalar(NUMBERS).form(values::is_decimal);
static PLAIN_NUMBER: Shape =
    Shape::expecting("a number, without quotes").scalar(&[Scalar::Integer, Scalar::Number]);
static SIZE: Shape = Shape::expecting("a size such as 64m").scalar(INTEGERS).form(values::is_size);
static SIZE_TEXT: Shape =
    Shape::expecting("a size such as 64m, in quotes if it is a number").scalar(TEXTS).form(values::is_size);
static DURATION: Shape =
    Shape::expecting("a duration such as 30s or 1m30s").scalar(TEXTS).form(values::is_duration);
static LIST: Shape = Shape::expecting("a list of texts").list(&TEXT);
static SET: Shape = Shape::expecting("a list of texts, each once").set(&TEXT);
static TEXT_OR_LIST: Shape = Shape::expecting("text, or a list of texts").scalar(TEXTS).list(&TEXT);
static TEXT_OR_NUMBER: Shape = Shape::expecting("text, or a number").scalar(NUMBERS);
static VALUE: Shape = Shape::expecting("one value, and no list or map").scalar(VALUES);
static PAIRS: Shape =
    Shape::expecting("a map of names and values, or a list of NAME=value").names(&VALUE).list(&TEXT);
static OPTION: Shape = Shape::expecting("text, or a number").scalar(NUMBERS);
static OPTIONS: Shape = Shape::expecting("a map of names and values").names(&OPTION);
static TEXT_MAP: Shape = Shape::expecting("a map of names and texts").names(&TEXT);
static COMMAND: Shape =
    Shape::expecting("a command as text whose quotes are closed, or a list of texts, numbers in quotes")
        .scalar(&[Scalar::Text, Scalar::Null])
        .form(values::is_command)
        .list(&TEXT);

/// A map with keys, of which none is demanded, and extensions.
const fn open(known: &'static [(&'static str, &'static Shape)]) -> Keys {
    Keys { known, required: &[], extensions: true }
}

/// A map with keys, of which none is demanded, and nothing else.
const fn closed(known: &'static [(&'static str, &'static Shape)]) -> Keys {
    Keys { known, required: &[], extensions: false }
}

const A_MAP: &str = "a map";

/// The whole file.
pub(super) static FILE: Shape = Shape::expecting("a map with the key services").keys(&FILE_KEYS);
static FILE_KEYS: Keys = open(&[
    ("version", &TEXT),
    ("name", &TEXT),
    ("include", &INCLUDES),
    ("services", &SERVICES),
    ("networks", &NETWORKS),
    ("volumes", &VOLUMES),
    ("secrets", &SECRETS),
    ("configs", &CONFIGS),
]);

static INCLUDES: Shape = Shape::expecting("a list").scalar(&[Scalar::Null]).list(&INCLUDE);
static INCLUDE: Shape =
    Shape::expecting("a path, or a map with the key path").scalar(TEXTS).keys(&INCLUDE_KEYS);
static INCLUDE_KEYS: Keys =
    closed(&[("path", &TEXT_OR_LIST), ("env_file", &TEXT_OR_LIST), ("project_directory", &TEXT)]);

static SERVICES: Shape = Shape::expecting("a map of services").names(&SERVICE);
static SERVICE: Shape = Shape::expecting("a map with the key image").keys(&SERVICE_KEYS);

static SERVICE_KEYS: Keys = open(&[
    ("develop", &DEVELOP),
    ("deploy", &DEPLOY),
    ("annotations", &PAIRS),
    ("attach", &FLAG),
    ("build", &ANYTHING),
    ("blkio_config", &BLOCK_IO),
    ("cap_add", &LIST),
    ("cap_drop", &LIST),
    ("cgroup", &CGROUP),
    ("cgroup_parent", &TEXT),
    ("command", &COMMAND),
    ("configs", &FILES),
    ("container_name", &TEXT),
    ("cpu_count", &INTEGER),
    ("cpu_percent", &NUMBER),
    ("cpu_shares", &WHOLE),
    ("cpu_quota", &WHOLE),
    ("cpu_period", &WHOLE),
    ("cpu_rt_period", &WHOLE),
    ("cpu_rt_runtime", &WHOLE),
    ("cpus", &NUMBER),
    ("cpuset", &TEXT),
    ("credential_spec", &CREDENTIAL_SPEC),
    ("depends_on", &DEPENDS_ON),
    ("device_cgroup_rules", &SET),
    ("devices", &DEVICES),
    ("dns", &TEXT_OR_LIST),
    ("dns_opt", &LIST),
    ("dns_search", &TEXT_OR_LIST),
    ("domainname", &TEXT),
    ("entrypoint", &COMMAND),
    ("env_file", &ENV_FILE),
    ("label_file", &TEXT_OR_LIST),
    ("environment", &PAIRS),
    ("expose", &EXPOSE),
    ("extends", &EXTENDS),
    ("external_links", &SET),
    ("extra_hosts", &HOSTS),
    ("gpus", &GPUS),
    ("group_add", &GROUPS),
    ("healthcheck", &HEALTHCHECK),
    ("hostname", &TEXT),
    ("image", &TEXT),
    ("init", &FLAG),
    ("ipc", &TEXT),
    ("isolation", &TEXT),
    ("labels", &PAIRS),
    ("links", &LIST),
    ("logging", &LOGGING),
    ("mac_address", &TEXT),
    ("mem_limit", &SIZE),
    ("mem_reservation", &SIZE),
    ("mem_swappiness", &SIZE),
    ("memswap_limit", &SIZE),
    ("network_mode", &TEXT),
    ("networks", &SERVICE_NETWORKS),
    ("oom_kill_disable", &FLAG),
    ("oom_score_adj", &INTEGER),
    ("pid", &TEXT),
    ("pids_limit", &WHOLE),
    ("platform", &TEXT),
    ("ports", &PORTS),
    ("post_start", &HOOKS),
    ("pre_stop", &HOOKS),
    ("privileged", &FLAG),
    ("profiles", &LIST),
    ("pull_policy", &PULL_POLICY),
    ("read_only", &FLAG),
    ("restart", &TEXT),
    ("runtime", &TEXT),
    ("scale", &INTEGER),
    ("security_opt", &SET),
    ("shm_size", &SIZE),
    ("secrets", &FILES),
    ("sysctls", &PAIRS),
    ("stdin_open", &FLAG),
    ("stop_grace_period", &DURATION),
    ("stop_signal", &TEXT),
    ("storage_opt", &ANY_MAP),
    ("tmpfs", &TEXT_OR_LIST),
    ("tty", &FLAG),
    ("ulimits", &ULIMITS),
    ("user", &TEXT),
    ("uts", &TEXT),
    ("userns_mode", &TEXT),
    ("volumes", &MOUNTS),
    ("volumes_from", &SET),
    ("working_dir", &TEXT),
]);

static ANY_MAP: Shape = Shape::expecting(A_MAP).any_map();
/// What is refused whatever it says.
static ANYTHING: Shape = Shape::expecting("anything").scalar(VALUES).any_map();

static BLOCK_IO: Shape = Shape::expecting(A_MAP).keys(&BLOCK_IO_KEYS);
static BLOCK_IO_KEYS: Keys = closed(&[
    ("device_read_bps", &LIMITS),
    ("device_read_iops", &LIMITS),
    ("device_write_bps", &LIMITS),
    ("device_write_iops", &LIMITS),
    ("weight", &INTEGER),
    ("weight_device", &WEIGHTS),
]);
static LIMITS: Shape = Shape::expecting("a list").list(&LIMIT);
static LIMIT: Shape = Shape::expecting("a map with the keys path and rate").keys(&LIMIT_KEYS);
static LIMIT_KEYS: Keys = closed(&[("path", &TEXT), ("rate", &SIZE)]);
static WEIGHTS: Shape = Shape::expecting("a list").list(&WEIGHT);
static WEIGHT: Shape = Shape::expecting("a map with the keys path and weight").keys(&WEIGHT_KEYS);
static WEIGHT_KEYS: Keys = closed(&[("path", &TEXT), ("weight", &INTEGER)]);

static CGROUP: Shape =
    Shape::expecting("host or private").scalar(TEXTS).form(|text| matches!(text, "host" | "private"));

/// Configs and secrets of a service.
static FILES: Shape = Shape::expecting("a list").list(&FILE_MOUNT);
static FILE_MOUNT: Shape =
    Shape::expecting("a name, or a map with the key source").scalar(TEXTS).keys(&FILE_MOUNT_KEYS);
static FILE_MOUNT_KEYS: Keys =
    open(&[("source", &TEXT), ("target", &TEXT), ("uid", &TEXT), ("gid", &TEXT), ("mode", &WHOLE)]);

static CREDENTIAL_SPEC: Shape = Shape::expecting(A_MAP).keys(&CREDENTIAL_SPEC_KEYS);
static CREDENTIAL_SPEC_KEYS: Keys = open(&[("config", &TEXT), ("file", &TEXT), ("registry", &TEXT)]);

static DEPENDS_ON: Shape = Shape::expecting("a list of services, or a map of services with their condition")
    .set(&TEXT)
    .names(&DEPENDENCY);
static DEPENDENCY: Shape = Shape::expecting("a map with the key condition").keys(&DEPENDENCY_KEYS);
static DEPENDENCY_KEYS: Keys = Keys {
    known: &[("restart", &FLAG), ("required", &BOOLEAN), ("condition", &CONDITION)],
    required: &["condition"],
    extensions: true,
};
static CONDITION: Shape =
    Shape::expecting("service_started, service_healthy or service_completed_successfully")
        .scalar(TEXTS)
        .form(|text| {
            matches!(text, "service_started" | "service_healthy" | "service_completed_successfully")
        });

static DEVICES: Shape = Shape::expecting("a list").list(&DEVICE);
static DEVICE: Shape = Shape::expecting("source:target:permissions, or a map with the key source")
    .scalar(TEXTS)
    .form(values::is_device)
    .keys(&DEVICE_KEYS);
static DEVICE_KEYS: Keys = Keys {
    known: &[("source", &TEXT), ("target", &TEXT), ("permissions", &TEXT)],
    required: &["source", "target"],
    extensions: true,
};

static ENV_FILE: Shape = Shape::expecting("a path, or a list of paths").scalar(TEXTS).list(&ENV_FILE_ENTRY);
static ENV_FILE_ENTRY: Shape =
    Shape::expecting("a path, or a map with the key path").scalar(TEXTS).keys(&ENV_FILE_KEYS);
static ENV_FILE_KEYS: Keys = Keys {
    known: &[("path", &TEXT), ("format", &TEXT), ("required", &FLAG)],
    required: &["path"],
    extensions: false,
};

static EXPOSE: Shape = Shape::expecting("a list of ports").list(&EXPOSED);
static EXPOSED: Shape = Shape::expecting("a port").scalar(INTEGERS);

static EXTENDS: Shape = Shape::expecting("the name of a service, or a map with the key service")
    .scalar(TEXTS)
    .keys(&EXTENDS_KEYS);
static EXTENDS_KEYS: Keys =
    Keys { known: &[("service", &TEXT), ("file", &TEXT)], required: &["service"], extensions: false };

static HOSTS: Shape =
    Shape::expecting("a map of names and addresses, or a list of name=address").names(&ADDRESSES).set(&HOST);
static HOST: Shape = Shape::expecting("name=address").scalar(TEXTS).form(values::is_host);
static ADDRESSES: Shape = Shape::expecting("an address, or a list of addresses").scalar(TEXTS).list(&TEXT);

static GPUS: Shape =
    Shape::expecting("all, or a list").scalar(TEXTS).form(|text| text == "all").list(&ANY_MAP);
static GROUPS: Shape = Shape::expecting("a list of groups, each once").set(&TEXT_OR_NUMBER);

static HEALTHCHECK: Shape = Shape::expecting(A_MAP).keys(&HEALTHCHECK_KEYS);
static HEALTHCHECK_KEYS: Keys = open(&[
    ("disable", &FLAG),
    ("interval", &DURATION),
    ("retries", &WHOLE),
    ("test", &TEXT_OR_LIST),
    ("timeout", &DURATION),
    ("start_period", &DURATION),
    ("start_interval", &DURATION),
]);

static LOGGING: Shape = Shape::expecting(A_MAP).keys(&LOGGING_KEYS);
static LOGGING_KEYS: Keys = open(&[("driver", &TEXT), ("options", &LOGGING_OPTIONS)]);
static LOGGING_OPTIONS: Shape = Shape::expecting("a map of names and values").names(&LOGGING_OPTION);
static LOGGING_OPTION: Shape = Shape::expecting("text, or a number").scalar(&[
    Scalar::Null,
    Scalar::Integer,
    Scalar::Number,
    Scalar::Text,
]);

static SERVICE_NETWORKS: Shape =
    Shape::expecting("a list of networks, or a map of networks").set(&TEXT).names(&SERVICE_NETWORK);
static SERVICE_NETWORK: Shape =
    Shape::expecting("a map, or nothing").scalar(&[Scalar::Null]).keys(&SERVICE_NETWORK_KEYS);
static SERVICE_NETWORK_KEYS: Keys = open(&[
    ("aliases", &LIST),
    ("ipv4_address", &TEXT),
    ("ipv6_address", &TEXT),
    ("link_local_ips", &LIST),
    ("mac_address", &TEXT),
    ("driver_opts", &OPTIONS),
    ("priority", &PLAIN_NUMBER),
    ("gw_priority", &PLAIN_NUMBER),
]);

static PORTS: Shape = Shape::expecting("a list").list(&PORT);
static PORT: Shape = Shape::expecting("[[address:]port:]port[/protocol], or a map with the key target")
    .scalar(INTEGERS)
    .form(values::is_port)
    .keys(&PORT_KEYS);
static PORT_KEYS: Keys = Keys {
    known: &[
        ("name", &TEXT),
        ("mode", &TEXT),
        ("host_ip", &TEXT),
        ("target", &INTEGER),
        ("published", &TEXT_OR_NUMBER),
        ("protocol", &TEXT),
        ("app_protocol", &TEXT),
    ],
    required: &["target"],
    extensions: true,
};

static HOOKS: Shape = Shape::expecting("a list").list(&ANY_MAP);
static PULL_POLICY: Shape = Shape::expecting("always, never, missing, if_not_present or build")
    .scalar(TEXTS)
    .form(|text| matches!(text, "always" | "never" | "missing" | "if_not_present" | "build"));

static ULIMITS: Shape = Shape::expecting("a map of limits").names(&ULIMIT);
static ULIMIT: Shape = Shape::expecting("a whole number, or a map with the keys soft and hard")
    .scalar(INTEGERS)
    .form(values::is_integer)
    .keys(&ULIMIT_KEYS);
static ULIMIT_KEYS: Keys =
    Keys { known: &[("hard", &INTEGER), ("soft", &INTEGER)], required: &["soft", "hard"], extensions: true };

static MOUNTS: Shape = Shape::expecting("a list").list(&MOUNT);
static MOUNT: Shape = Shape::expecting("source:target, or a map with the keys type and target")
    .scalar(TEXTS)
    .form(values::is_mount)
    .keys(&MOUNT_KEYS);
static MOUNT_KEYS: Keys = Keys {
    known: &[
        ("type", &TEXT),
        ("source", &TEXT),
        ("target", &TEXT),
        ("read_only", &FLAG),
        ("consistency", &TEXT),
        ("bind", &MOUNT_BIND),
        ("volume", &MOUNT_VOLUME),
        ("tmpfs", &MOUNT_TMPFS),
    ],
    required: &["type", "target"],
    extensions: true,
};
static MOUNT_BIND: Shape = Shape::expecting(A_MAP).keys(&MOUNT_BIND_KEYS);
static MOUNT_BIND_KEYS: Keys = open(&[
    ("propagation", &TEXT),
    ("create_host_path", &FLAG),
    ("recursive", &RECURSIVE),
    ("selinux", &SELINUX),
]);
static RECURSIVE: Shape = Shape::expecting("enabled, disabled, writable or readonly")
    .scalar(TEXTS)
    .form(|text| matches!(text, "enabled" | "disabled" | "writable" | "readonly"));
static SELINUX: Shape = Shape::expecting("z or Z").scalar(TEXTS).form(|text| matches!(text, "z" | "Z"));
static MOUNT_VOLUME: Shape = Shape::expecting(A_MAP).keys(&MOUNT_VOLUME_KEYS);
static MOUNT_VOLUME_KEYS: Keys = open(&[("nocopy", &FLAG), ("subpath", &TEXT)]);
static MOUNT_TMPFS: Shape = Shape::expecting(A_MAP).keys(&MOUNT_TMPFS_KEYS);
static MOUNT_TMPFS_KEYS: Keys = open(&[("size", &SIZE), ("mode", &WHOLE)]);

static DEVELOP: Shape = Shape::expecting("a map, or nothing").scalar(&[Scalar::Null]).keys(&DEVELOP_KEYS);
static DEVELOP_KEYS: Keys = open(&[("watch", &WATCHES)]);
static WATCHES: Shape = Shape::expecting("a list").list(&WATCH);
static WATCH: Shape = Shape::expecting("a map with the keys path and action").keys(&WATCH_KEYS);
static WATCH_KEYS: Keys = Keys {
    known: &[
        ("ignore", &LIST),
        ("path", &TEXT),
        ("action", &WATCH_ACTION),
        ("target", &TEXT),
        ("exec", &ANY_MAP),
    ],
    required: &["path", "action"],
    extensions: true,
};
static WATCH_ACTION: Shape = Shape::expecting("rebuild, sync, restart, sync+restart or sync+exec")
    .scalar(TEXTS)
    .form(|text| matches!(text, "rebuild" | "sync" | "restart" | "sync+restart" | "sync+exec"));

static DEPLOY: Shape = Shape::expecting("a map, or nothing").scalar(&[Scalar::Null]).keys(&DEPLOY_KEYS);
static DEPLOY_KEYS: Keys = open(&[
    ("mode", &TEXT),
    ("endpoint_mode", &TEXT),
    ("replicas", &INTEGER),
    ("labels", &PAIRS),
    ("rollback_config", &UPDATE),
    ("update_config", &UPDATE),
    ("resources", &RESOURCES),
    ("restart_policy", &RESTART_POLICY),
    ("placement", &PLACEMENT),
]);
static UPDATE: Shape = Shape::expecting(A_MAP).keys(&UPDATE_KEYS);
static UPDATE_KEYS: Keys = open(&[
    ("parallelism", &INTEGER),
    ("delay", &DURATION),
    ("failure_action", &TEXT),
    ("monitor", &DURATION),
    ("max_failure_ratio", &NUMBER),
    ("order", &UPDATE_ORDER),
]);
static UPDATE_ORDER: Shape = Shape::expecting("start-first or stop-first")
    .scalar(TEXTS)
    .form(|text| matches!(text, "start-first" | "stop-first"));
static RESOURCES: Shape = Shape::expecting(A_MAP).keys(&RESOURCES_KEYS);
static RESOURCES_KEYS: Keys = open(&[("limits", &RESOURCE_LIMITS), ("reservations", &RESERVATIONS)]);
static RESOURCE_LIMITS: Shape = Shape::expecting(A_MAP).keys(&RESOURCE_LIMITS_KEYS);
static RESOURCE_LIMITS_KEYS: Keys = open(&[("cpus", &NUMBER), ("memory", &SIZE_TEXT), ("pids", &INTEGER)]);
static RESERVATIONS: Shape = Shape::expecting(A_MAP).keys(&RESERVATIONS_KEYS);
static RESERVATIONS_KEYS: Keys =
    open(&[("cpus", &NUMBER), ("memory", &SIZE_TEXT), ("generic_resources", &MAPS), ("devices", &MAPS)]);
static MAPS: Shape = Shape::expecting("a list of maps").list(&ANY_MAP);
static RESTART_POLICY: Shape = Shape::expecting(A_MAP).keys(&RESTART_POLICY_KEYS);
static RESTART_POLICY_KEYS: Keys =
    open(&[("condition", &TEXT), ("delay", &DURATION), ("max_attempts", &INTEGER), ("window", &DURATION)]);
static PLACEMENT: Shape = Shape::expecting(A_MAP).keys(&PLACEMENT_KEYS);
static PLACEMENT_KEYS: Keys =
    open(&[("constraints", &LIST), ("preferences", &MAPS), ("max_replicas_per_node", &INTEGER)]);

static NETWORKS: Shape = Shape::expecting("a map of networks").names(&NETWORK);
static NETWORK: Shape = Shape::expecting("a map, or nothing").scalar(&[Scalar::Null]).keys(&NETWORK_KEYS);
static NETWORK_KEYS: Keys = open(&[
    ("name", &TEXT),
    ("driver", &TEXT),
    ("driver_opts", &OPTIONS),
    ("ipam", &IPAM),
    ("external", &EXTERNAL),
    ("internal", &FLAG),
    ("enable_ipv4", &FLAG),
    ("enable_ipv6", &FLAG),
    ("attachable", &FLAG),
    ("labels", &PAIRS),
]);
static IPAM: Shape = Shape::expecting(A_MAP).keys(&IPAM_KEYS);
static IPAM_KEYS: Keys = open(&[("driver", &TEXT), ("config", &POOLS), ("options", &TEXT_MAP)]);
static POOLS: Shape = Shape::expecting("a list of address ranges").list(&POOL);
static POOL: Shape = Shape::expecting("a map with the key subnet").keys(&POOL_KEYS);
static POOL_KEYS: Keys =
    open(&[("subnet", &TEXT), ("ip_range", &TEXT), ("gateway", &TEXT), ("aux_addresses", &TEXT_MAP)]);
static EXTERNAL: Shape =
    Shape::expecting("true or false").scalar(FLAGS).form(values::is_boolean).keys(&EXTERNAL_KEYS);
static EXTERNAL_KEYS: Keys = open(&[("name", &TEXT)]);

static VOLUMES: Shape = Shape::expecting("a map of volumes").names(&VOLUME);
static VOLUME: Shape = Shape::expecting("a map, or nothing").scalar(&[Scalar::Null]).keys(&VOLUME_KEYS);
static VOLUME_KEYS: Keys = open(&[
    ("name", &TEXT),
    ("driver", &TEXT),
    ("driver_opts", &OPTIONS),
    ("external", &EXTERNAL),
    ("labels", &PAIRS),
]);

static SECRETS: Shape = Shape::expecting("a map of secrets").names(&SECRET);
static SECRET: Shape = Shape::expecting("a map with the key file or environment").keys(&SECRET_KEYS);
static SECRET_KEYS: Keys = open(&[
    ("name", &TEXT),
    ("environment", &TEXT),
    ("file", &TEXT),
    ("external", &EXTERNAL),
    ("labels", &PAIRS),
    ("driver", &TEXT),
    ("driver_opts", &OPTIONS),
    ("template_driver", &TEXT),
]);

static CONFIGS: Shape = Shape::expecting("a map of configs").names(&CONFIG);
static CONFIG: Shape = Shape::expecting("a map with the key file, content or environment").keys(&CONFIG_KEYS);
static CONFIG_KEYS: Keys = open(&[
    ("name", &TEXT),
    ("content", &TEXT),
    ("environment", &TEXT),
    ("file", &TEXT),
    ("external", &EXTERNAL),
    ("labels", &PAIRS),
    ("template_driver", &TEXT),
]);
