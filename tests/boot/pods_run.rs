//! Pods of the archive and of a template run on the guest's engine as `check` says: an init container first, the contract's
//! variables and values as the engine types them, files of config maps and of the archive, a part of a data volume, a
//! published port, two containers of one pod in one network. Their lines are at the log server under the names that HPCR
//! gives them, and the daemon watches what runs.

use std::io::Read;
use std::net::TcpStream;

use countersign_vm::lab::contract::archive;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End};
use crate::support::{BOOT, world};

/// Of the archive. `@image@` has its registry by its address.
const PODS: &str = r#"---
apiVersion: v1
kind: ConfigMap
metadata:
  name: pages
data:
  index.html: |
    from the config map
---
apiVersion: v1
kind: Pod
metadata:
  name: site
spec:
  restartpolicy: OnFailure
  initContainers:
  - name: make
    image: "@image@"
    command: [/bin/busybox, sh, -c, "/bin/busybox mkdir -p /data/site; echo made >/data/site/made"]
    volumeMounts:
    - {name: data, mountPath: /data}
  containers:
  - name: web_server
    image: "@image@"
    command: [/bin/busybox, sh, -c]
    args:
    - |
      echo "seen $GREETING/$WORKERS/$(/bin/busybox cat /data/made /pages/index.html /conf/own.txt | /bin/busybox tr '\n' '/')"
      echo "mode $(/bin/busybox stat -Lc %a /pages/index.html) mount $(/bin/busybox grep -c ' /conf .*[ ,]ro[ ,]' /proc/mounts)"
      until word=$(/bin/busybox nc 127.0.0.1 9999 </dev/null) && [ "$word" ]; do /bin/busybox sleep 1; done
      echo "beside $word"
      exec /bin/busybox sleep 100000
    env:
    - name: WORKERS
      value: 010
    envFrom:
    - configMapRef: {name: contract.config.map}
    volumeMounts:
    - {name: data, mountPath: /data, subPath: site}
    - {name: conf, mountPath: "/conf:Z", readOnly: true}
    - {name: pages, mountPath: /pages}
  - name: listener
    image: "@image@"
    command: [/probe/listener, pod, "9999"]
    ports:
    - {containerPort: 9999, hostPort: 8080, protocol: tcp}
    volumeMounts:
    - {name: probe, mountPath: /probe, readOnly: true}
  volumes:
  - name: data
    hostPath: {path: /mnt/data/, type: DirectoryOrCreate}
  - name: conf
    hostPath: {path: ./conf}
  - name: pages
    configMap: {name: pages, defaultMode: 0640}
  - name: probe
    hostPath: {path: /usr/lib/probe, type: Directory}
"#;

/// Of the contract itself.
const TEMPLATE: &str = r#"  templates:
  - apiVersion: v1
    kind: Pod
    metadata:
      name: second
    spec:
      restartPolicy: Never
      containers:
      - name: only
        image: "{{ .Env.REGISTRY }}/@path@"
        command: [/bin/busybox, sh, -c, "echo '{{ printf \"rendered %q\" .Env.PLACE }}'; exec /bin/busybox sleep 100000"]
"#;

#[test]
fn pods_run() {
    let mut world = world();
    let mut contract = world.contract();
    let compose = std::fs::read_to_string(world.folder().join("compose/docker-compose.yaml")).unwrap();
    let path = compose.lines().find_map(|line| line.trim().strip_prefix("image: ${REGISTRY}/")).unwrap();
    let image = format!("{}/{path}", contract.workload_env["REGISTRY"]);
    let folder = world.folder().join("play");
    std::fs::create_dir_all(folder.join("conf")).unwrap();
    std::fs::write(folder.join("pods.yaml"), PODS.replace("@image@", &image)).unwrap();
    std::fs::write(folder.join("conf/own.txt"), "from the archive\n").unwrap();
    contract.archive = archive(&folder).unwrap();
    let mut texts = contract.texts();
    let (before, behind) = texts.workload.split_once("compose:\n").unwrap();
    let template = TEMPLATE.replace("@path@", path);
    texts.workload = format!("{before}play:\n{template}{behind}");

    let delivery = world.delivery();
    let medium = world.deliver("contract", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let run = world.run("pods", &world.keys.image, &medium, Some(&data)).unwrap();
    let (mut guest, look) = inside::boot("pods", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL15004I", BOOT, |event| event.is_message("HPL15004I")).unwrap();
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();

    let seen = format!("seen {}/8/made/from the config map/from the archive/", contract.env["GREETING"]);
    let rendered = format!("rendered \"{}\"", contract.workload_env["PLACE"]);
    for (name, text) in [
        ("site-web_server", seen.as_str()),
        ("site-web_server", "mode 640 mount 1"),
        ("site-web_server", "beside pod"),
        ("second-only", rendered.as_str()),
    ] {
        let said = |message: &Message| message.app == name && message.msg.trim() == text;
        let message = world.syslog.wait_for(&format!("{text} of {name}"), BOOT, said).unwrap();
        assert_eq!(message.origin(), Some("container"), "{message:?}");
    }
    let port = guest.forwarded(8080).unwrap();
    let mut word = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut word).unwrap();
    assert_eq!(word, "pod\n");
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}
