use super::*;

/// A service `web` with these lines below its image, which is line 3.
fn web(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("services:\n  web:\n    image: a@sha256:DIGEST\n{lines}")
}

fn first(text: &str) -> (usize, String) {
    let refusals = judged(text).unwrap_err();
    (refusals[0].line, refusals[0].fault.to_string())
}

#[test]
fn a_name_that_looks_like_the_guests_own_is_told() {
    let notice = |text: &str| {
        let notices = judged(text).unwrap().notices;
        let [ComposeNotice { line, notice }] = &notices[..] else { panic!("{text}: {notices:?}") };
        assert_eq!(notice.code().as_str(), "HPL06124W");
        assert_eq!(notice.hint(), "give it a name of the workload's own");
        (*line, notice.to_string())
    };
    let its_name = "looks like one of the guest's own names in the log";
    assert_eq!(
        notice("services:\n  countersignd: {image: \"a@sha256:DIGEST\"}\n"),
        (2, format!("service countersignd: its name {its_name}"))
    );
    assert_eq!(
        notice(&web("init: true\ncontainer_name: Systemd-Journald")),
        (5, format!("service web: container_name {its_name}"))
    );
    // Of what a variable holds nothing is told but that.
    assert_eq!(
        notice(&web("container_name: ${IMITATION}")),
        (4, format!("service web: container_name {its_name}"))
    );
    assert_eq!(told(&web("container_name: web-kernel\nhostname: kernel")), []);
    // What does not run has no line in the log.
    let other = "  kernel: {image: \"a@sha256:DIGEST\", profiles: [other]}\n";
    assert_eq!(told(&format!("{}{other}", web(""))), []);
}

fn told(text: &str) -> Vec<(usize, String)> {
    let notices = judged(text).unwrap_or_else(|refusals| panic!("{text}: {refusals:?}")).notices;
    notices.iter().map(|notice| (notice.line, notice.notice.to_string())).collect()
}

#[test]
fn the_form_of_every_key_is_judged() {
    for (lines, line, expected) in [
        ("imagee: x", 4, "services.web: expected a known key instead of imagee, perhaps image"),
        ("zebra: x", 4, "services.web: expected a known key instead of zebra"),
        ("ports: 80", 4, "services.web.ports: expected a list"),
        (
            "ports:\n- 80\n- \"80:\"",
            6,
            "services.web.ports: expected [[address:]port:]port[/protocol], or a map with the key target",
        ),
        ("ports:\n- published: 80", 5, "services.web.ports: expected the key target"),
        ("user: 5", 4, "services.web.user: expected text, in quotes if it looks like something else"),
        ("privileged: maybe", 4, "services.web.privileged: expected true or false"),
        (
            "healthcheck:\n  interval: 5",
            5,
            "services.web.healthcheck.interval: expected a duration such as 30s or 1m30s",
        ),
        ("mem_limit: 1x", 4, "services.web.mem_limit: expected a size such as 64m"),
        (
            "environment:",
            4,
            "services.web.environment: expected a map of names and values, or a list of NAME=value",
        ),
        (
            "environment:\n  5: x",
            5,
            "services.web.environment: expected keys that are text, in quotes where one is a number, a date, true or null",
        ),
        ("security_opt: [a, a]", 4, "services.web.security_opt: expected each entry once"),
        (
            "labels:\n  a: ${",
            5,
            "services.web.labels.a: expected ${NAME} for a variable, and $$ for a dollar sign",
        ),
        ("labels:\n  a: ${A:?no}", 5, "services.web.labels.a: expected the variable A in env, it is not set"),
        (
            "command: a 'b",
            4,
            "services.web.command: expected a command as text whose quotes are closed, or a list of texts, numbers in \
             quotes",
        ),
    ] {
        assert_eq!(first(&web(lines)), (line, expected.to_owned()), "{lines}");
    }
}

#[test]
fn what_a_service_refers_to_has_to_be_there() {
    let undefined = |name: &str, section: &str| format!("service web: expected {name} under {section}");
    for (lines, rest, line, expected) in [
        ("depends_on: [db]", "", 4, undefined("db", "services")),
        (
            "depends_on:\n  db: {condition: service_started, required: false}",
            "",
            5,
            undefined("db", "services"),
        ),
        ("links: [\"db:x\"]", "", 4, undefined("db:x", "services")),
        ("network_mode: service:db", "", 4, undefined("db", "services")),
        ("volumes_from: [\"db:ro\"]", "", 4, undefined("db:ro", "services")),
        ("volumes: [\"data:/x\"]", "", 4, undefined("data", "volumes")),
        (
            "volumes:\n- {type: volume, source: data, target: /x}",
            "volumes: {other: }\n",
            5,
            undefined("data", "volumes"),
        ),
        ("networks: [back]", "", 4, undefined("back", "networks")),
        ("networks:\n  back:", "", 5, undefined("back", "networks")),
        ("secrets: [s]", "", 4, undefined("s", "secrets")),
        ("configs:\n- source: c", "", 5, undefined("c", "configs")),
        ("volumes: [\"${REGISTRY}:/x\"]", "", 4, undefined("${REGISTRY}:/x", "volumes")),
        (
            "depends_on: [db]",
            "  db: {image: \"a@sha256:DIGEST\", profiles: [other]}\n",
            4,
            "service web: expected service db to run, it has a profile that is not active".to_owned(),
        ),
        (
            "depends_on: [db]",
            "  db: {image: \"a@sha256:DIGEST\", depends_on: [web]}\n",
            5,
            "service db: expected services that do not wait for each other in a circle".to_owned(),
        ),
        ("env_file: none.env", "", 4, "service web: expected the file none.env in the archive".to_owned()),
        ("env_file: [folder]", "", 4, "service web: expected the file folder in the archive".to_owned()),
        (
            "env_file: ./bad.env",
            "",
            4,
            "service web: ./bad.env: expected the closing quote of a value (line 3)".to_owned(),
        ),
        (
            "extends: {service: x, file: \"https://example.org/a.yaml\"}",
            "",
            4,
            "expected the file https://example.org/a.yaml in the archive, nothing is fetched from elsewhere"
                .to_owned(),
        ),
        (
            "secrets: [s]",
            "secrets:\n  s: {environment: UNSET}\n",
            6,
            "secrets.s: expected the variable UNSET in env, it is not set".to_owned(),
        ),
        (
            "configs: [c]",
            "configs:\n  c: {file: ./a, content: b}\n",
            6,
            "configs.c: expected one of file, content and environment".to_owned(),
        ),
    ] {
        assert_eq!(first(&format!("{}{rest}", web(lines))), (line, expected), "{lines} {rest}");
    }
    for (lines, rest) in [
        ("depends_on: [db]", "  db: {image: \"a@sha256:DIGEST\", profiles: [active]}\n"),
        (
            "depends_on:\n  db: {condition: service_started, required: false}",
            "  db: {image: \"a@sha256:DIGEST\", profiles: [other]}\n",
        ),
        ("networks: [default]", ""),
        ("volumes: [\"data:/x\", /y]", "volumes: {data: }\n"),
        ("env_file: [known.env, {path: none.env, required: false}, {path: ./known.env}]", ""),
        ("secrets: [s]", "secrets:\n  s: {environment: REGISTRY}\n"),
        // Of another file nothing is known here.
        ("networks: [back]", "include: [other.yaml]\n"),
    ] {
        let text = format!("{}{rest}", web(lines));
        assert!(judged(&text).is_ok(), "{text}: {:?}", judged(&text));
    }
}

#[test]
fn what_is_said_twice_agrees() {
    for (lines, expected) in [
        (
            "network_mode: host\nnetworks: [default]",
            "service web: expected only one of network_mode and networks",
        ),
        ("scale: 2\ndeploy: {replicas: 3}", "service web: expected the same under scale and deploy.replicas"),
        (
            "mem_limit: 5m\ndeploy: {resources: {limits: {memory: 6m}}}",
            "service web: expected the same under mem_limit and deploy.resources.limits",
        ),
        (
            "cpus: 1\ndeploy: {resources: {limits: {memory: 6m}}}",
            "service web: expected the same under cpus and deploy.resources.limits",
        ),
        (
            "container_name: x\nscale: 2",
            "service web: expected no container_name for more than one container",
        ),
        (
            "healthcheck: {test: [curl, x]}",
            "service web: expected CMD, CMD-SHELL or NONE as the first word of healthcheck.test",
        ),
    ] {
        assert_eq!(first(&web(lines)), (4, expected.to_owned()), "{lines}");
    }
    for lines in
        ["scale: 2\ndeploy: {replicas: 2}", "mem_limit: 1024k\ndeploy: {resources: {limits: {memory: 1m}}}"]
    {
        assert!(judged(&web(lines)).is_ok(), "{lines}");
    }
}

#[test]
fn what_the_engine_cannot_do_is_refused() {
    for (lines, rest, line, expected) in [
        ("gpus: all", "", 4, "services.web.gpus: expected no graphics processor: the platform has none"),
        ("platform: linux/amd64", "", 4, "services.web.platform: expected linux/s390x, the guest's platform"),
        (
            "restart: sometimes",
            "",
            4,
            "services.web.restart: expected no, always, unless-stopped, on-failure or on-failure:COUNT",
        ),
        (
            "security_opt: [\"seccomp:profile.json\"]",
            "",
            4,
            "services.web.security_opt: expected seccomp:unconfined or no seccomp: the engine takes no profile from a file",
        ),
        (
            "volumes:\n- {type: cluster, source: x, target: /x}",
            "",
            5,
            "services.web.volumes: expected bind, volume or tmpfs as the type",
        ),
        (
            "links: [\"web2:db\"]",
            "  web2: {image: \"a@sha256:DIGEST\"}\n",
            4,
            "services.web.links: expected the service's own name; give it another under networks, as one of its aliases",
        ),
        (
            "",
            "networks:\n  n: {external: true}\n",
            5,
            "networks.n.external: expected nothing that is there before the workload: this guest begins with none",
        ),
        ("", "networks:\n  n: {driver: macvlan}\n", 5, "networks.n.driver: expected bridge, or no driver"),
        ("", "volumes:\n  v: {driver: nfs}\n", 5, "volumes.v.driver: expected local, or no driver"),
        (
            "",
            "volumes:\n  v: {driver_opts: {type: nfs, device: x}}\n",
            5,
            "volumes.v.driver_opts: expected type tmpfs, or type none with o: bind",
        ),
    ] {
        assert_eq!(first(&format!("{}{rest}", web(lines))), (line, expected.to_owned()), "{lines} {rest}");
    }
}

#[test]
fn what_belongs_to_the_guest_is_reached_by_no_container() {
    let path = "expected a data volume or a path of the compose folder: this one belongs to the guest itself";
    for (lines, rest, line, expected) in [
        ("volumes: [\"/:/x\"]", "", 4, format!("services.web.volumes: {path}")),
        ("volumes: [\"/var/run/docker.sock:/x\"]", "", 4, format!("services.web.volumes: {path}")),
        (
            "volumes:\n- {type: bind, source: ../../run, target: /x}",
            "",
            5,
            format!("services.web.volumes: {path}"),
        ),
        (
            "",
            "volumes:\n  v: {driver_opts: {type: none, o: \"ro,bind\", device: /proc}}\n",
            5,
            format!("volumes.v.driver_opts: {path}"),
        ),
        ("", "secrets:\n  s: {file: /run/countersign/plan.json}\n", 5, format!("secrets.s: {path}")),
        (
            "devices: [\"/dev/vda\"]",
            "",
            4,
            "services.web.devices: expected no disk, and no folder of devices".to_owned(),
        ),
        (
            "device_cgroup_rules: [\"b 252:* rwm\"]",
            "",
            4,
            "services.web.device_cgroup_rules: expected a rule for character devices, which begins with c"
                .to_owned(),
        ),
        (
            "pid: \"ns:/proc/1/ns/pid\"",
            "",
            4,
            "services.web.pid: expected no namespace by its path".to_owned(),
        ),
        (
            "volumes_from: [\"container:x\"]",
            "",
            4,
            "services.web.volumes_from: expected a service of this file".to_owned(),
        ),
    ] {
        let text = format!("{}{rest}", web(lines));
        assert_eq!(first(&text), (line, expected), "{text}");
        let code = judged(&text).unwrap_err()[0].fault.code();
        assert_eq!(code, countersign_contract::code::Code::ReachRefused);
    }
}

#[test]
fn what_runs_otherwise_than_it_looks_is_told() {
    for (lines, expected) in [
        (
            "logging: {driver: json-file}",
            "service web: logging is left out, every line goes to the contract's log server",
        ),
        (
            "healthcheck: {test: x, start_interval: 1s}",
            "service web: start_interval is left out, the engine does not know it",
        ),
        ("command: a | b", "service web: command ends at the first ; & | < or >, for no shell reads it"),
        ("privileged: \"yes\"", "service web reaches all devices and privileges"),
        ("network_mode: host", "service web reaches the guest's own network"),
        ("volumes: [\"/etc:/x:ro\"]", "service web reaches a path of the guest"),
        ("devices: [/dev/z90crypt]", "service web reaches a device"),
        ("cap_add: [CAP_SYS_ADMIN]", "service web reaches a capability beyond the usual ones"),
        ("security_opt: [\"seccomp:unconfined\"]", "service web reaches a weaker confinement"),
        (
            "volumes: [\"/var/hyperprotect:/x:ro\"]",
            "service web: /var/hyperprotect is read-only, without user-data.decrypted and certificate_expiry_date.json",
        ),
        (
            "volumes: [\"./none:/x\"]",
            "service web: a mounted path is not in the archive, the container gets an empty folder",
        ),
    ] {
        assert_eq!(told(&web(lines)), [(4, expected.to_owned())], "{lines}");
    }
    let unset = "variables without a value are empty: A, B";
    assert_eq!(told(&web("labels: {a: \"${B}${A}\", c: \"${C:-d}\"}")), [(1, unset.to_owned())]);
    for lines in [
        "volumes: [\"/mnt/data/x:/x\", \"./folder:/y\", \"/etc/machine-id:/z:ro\", /w]",
        "cap_add: [NET_RAW]\nsecurity_opt: [\"no-new-privileges:true\"]\nports: [\"80:80\"]",
    ] {
        assert_eq!(told(&web(lines)), [], "{lines}");
    }
}

#[test]
fn every_refusal_of_a_file_is_said_once_for_its_line() {
    let text = web("ports: 80\nuser: 5\nzebra: {a: b}\nlabels: {a: \"${\", b: \"${\"}");
    let lines: Vec<usize> = judged(&text).unwrap_err().iter().map(|refusal| refusal.line).collect();
    assert_eq!(lines, [4, 5, 6, 7]);
}

#[test]
fn a_file_that_names_others_is_not_decided_on() {
    let other = judged("include: [other.yaml]\n").unwrap();
    assert_eq!((other.images, other.undecided), (Vec::new(), Some(1)));
    let text = "services:\n  web:\n    extends: {file: ./other.yaml, service: x}\n";
    assert_eq!(judged(text).unwrap().undecided, Some(3));
    assert_eq!(judged(&web("")).unwrap().undecided, None);
}

#[test]
fn what_is_no_yaml_has_a_hint_by_what_the_value_begins_with() {
    for (value, begins) in [
        ("{{ .Values.user }}", "put the value in quotes: it begins with {{"),
        ("{{ user }}-canary", "put the value in quotes: it begins with {{"),
        ("%canary", "put the value in quotes: it begins with %, @, `"),
        ("@canary", "put the value in quotes: it begins with %, @, `"),
        ("*canary", "put a text that begins with & or * in quotes"),
        ("!canary", "remove the tag, or put a text that begins with ! in quotes"),
        ("[a] canary", "put the value in quotes: it begins with [ or {"),
        ("[canary", "close the bracket or brace"),
        ("canary: b", "put the value in quotes: it holds a colon and a blank"),
        ("|canary", "put the value in quotes: it begins with | or >"),
        ("\"a\" canary", "close the quote where the value ends"),
        ("- canary", "begin the list on the line below"),
    ] {
        let refusals = judged(&web(&format!("user: {value}"))).unwrap_err();
        assert_eq!((refusals.len(), refusals[0].line), (1, 4), "{value}: {refusals:?}");
        let hint = refusals[0].fault.hint().unwrap();
        assert!(hint.starts_with(begins), "{value}: {hint}");
        assert!(!format!("{refusals:?}{hint}").contains("canary"), "{value}");
    }
}
