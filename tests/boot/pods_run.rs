//! Pods of the archive and of a template run on the guest's engine as `check` says: an init container first, the contract's
//! variables and values as the engine types them, files of config maps and of the archive, a part of a data volume, a
//! published port, two containers of one pod in one network. Their lines are at the log server under the names that HPCR
//! gives them, and the daemon watches what runs: a container that fails and is started again by its pod's policy, and one
//! whose health check fails.

use std::io::Read;
use std::net::TcpStream;

use countersign_vm::guest::Next;
use countersign_vm::lab::contract::Section;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End, SHAPES};
use crate::support::{BOOT, image_path, play, world};

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
  - name: restless
    image: "@image@"
    command: [/bin/busybox, sh, -c]
    args:
    - |
      ask() { while :; do echo HPL13000I; /bin/busybox sleep 15; done; }
      if [ -e /data/again ]; then echo "second start"; ask; fi
      /bin/busybox touch /data/again
      ask &
      /bin/busybox nc -l -p 9998 </dev/null
      echo "fails"
      exit 3
    ports:
    - {containerPort: 9998, hostPort: 8092}
    volumeMounts:
    - {name: data, mountPath: /data}
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
      - name: sick
        image: "{{ .Env.REGISTRY }}/@path@"
        command: [/bin/busybox, sleep, "100000"]
        livenessProbe:
          exec: {command: [/bin/busybox, "false"]}
          periodSeconds: 5
          failureThreshold: 1
"#;

#[test]
fn pods_run() {
    let mut world = world();
    let contract = world.contract();
    let mut texts = play(&world, &[("pods.yaml", PODS), ("conf/own.txt", "from the archive\n")]);
    let template = TEMPLATE.replace("@path@", &image_path(&world));
    texts.edit(Section::Workload, "play:\n", &format!("play:\n{template}")).unwrap();

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
    // A look at the containers follows each check that a container asks for. One that ends in between is told by its new
    // start, and one whose health check fails is told.
    let told =
        |number: u32| move |message: &Message| message.msg.contains(&format!("HPL13001I: check {number}: "));
    world.syslog.wait_for("the check that the container asked for", BOOT, told(2)).unwrap();
    inside::knock(
        &mut guest,
        SHAPES,
        "restart",
        |next| matches!(next, Next::Event(seen) if seen.event.is_message("HPL08111W")),
    );
    for (app, text) in [
        ("site-restless", "fails"),
        ("site-restless", "second start"),
        ("countersignd", "HPL08111W: container site-restless: runs again, 1 restarts by its policy"),
        ("countersignd", "HPL08113W: container second-sick: its health check fails"),
    ] {
        let said = |message: &Message| message.app == app && message.msg.trim() == text;
        world.syslog.wait_for(text, BOOT, said).unwrap();
    }
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}
