#!/bin/sh
# The engine in a root of its own: programs of its packages, the guest's settings, storage in memory, and one image.
#
#   sh root.sh PACKAGES SETTINGS SHARED ROOT
#
# SHARED gets the socket and, once the engine has it, the name of the image. Run in namespaces of its own.
set -eu
packages=$1 settings=$2 shared=$3 root=$4
PATH=/usr/sbin:/usr/bin:/sbin:/bin
# The kernel of a build machine may have control groups of the older kind; no container is started.
export PATH HOME=/root PODMAN_IGNORE_CGROUPSV1_WARNING=1

mount -t tmpfs -o mode=755 engine "$root"
cd "$root"
mkdir -p usr etc proc sys dev root tmp run/engine run/countersign-engine var/tmp var/hyperprotect mnt/data data1/play/conf
mount --bind "$packages/usr" usr
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$folder"; done
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs engine dev/shm
mount --bind "$shared" run/engine
cp -R "$settings" etc/containers
# What lies in memory has no layers that could be put over each other.
sed -i 's/^driver = .*/driver = "vfs"/' etc/containers/storage.conf
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo 'root:x:0:' >etc/group
: >etc/hosts
: >etc/resolv.conf
: >data1/play/conf/a
chmod 1777 tmp var/tmp

# The settings have a link there.
policy() { printf '{"default": [{"type": "%s"}]}' "$1" >run/countersign-engine/policy.json; }
podman() { unshare --root="$root" --wd=/data1/play /usr/bin/podman "$@"; }

policy insecureAcceptAnything
mkdir image
: >image/file
tar -cf run/engine/image.tar -C image .
podman import --quiet /run/engine/image.tar registry.example.org/web:latest
# As in the guest once its images are there.
policy reject
podman image inspect --format '{{index .RepoDigests 0}}' registry.example.org/web >run/engine/name
mv run/engine/name run/engine/image
exec unshare --root="$root" --wd=/data1/play /usr/bin/podman --log-level=fatal \
  system service --time=0 unix:///run/engine/socket
