#!/usr/bin/env bash
# Debian packages of any suite and architecture, fetched and unpacked without touching the machine's own apt.
#
# A private apt (own sources, state, cache, empty dpkg status) per suite and architecture resolves a set of
# packages; apt checks the archive's signature against the debian-archive-keyring. Packages are only unpacked:
# no maintainer script runs, nothing is emulated. Proxy and time-out settings of the machine stay in force.
#
#   debian_set SUITE ARCH NAME PACKAGE[=VERSION]... [-PATTERN]...
#                                                      with dependencies (no Recommends), without those
#                                                      whose name matches a PATTERN; prints a folder
#   debian_alone SUITE ARCH NAME PACKAGE[=VERSION]...  exactly these packages; prints a folder
#       the folder holds *.deb and `packages.lock`: package, version, architecture, SHA-256, one a line
#   debian_version SUITE ARCH PACKAGE                  prints the candidate version
#   debian_depends SUITE ARCH PACKAGE                  prints the names that PACKAGE directly depends on
#   debian_unpack FOLDER TARGET [PACKAGE...]           unpack all of a set, or these packages of it
#
# The archive is the one that the machine's own apt uses. On a machine that is not Debian it is
# $COUNTERSIGN_DEBIAN_MIRROR, else what the debootstrap package carries. The package index is fetched again
# after $COUNTERSIGN_DEBIAN_DAYS days (7) or when a package of it is gone.

[[ -n ${COUNTERSIGN_DEBIAN_SH:-} ]] && return 0
COUNTERSIGN_DEBIAN_SH=1
# shellcheck source=qemu/lib/cache.sh
. "${BASH_SOURCE[0]%/*}/cache.sh"

DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

debian_mirror() {
  local site=${COUNTERSIGN_DEBIAN_MIRROR:-}
  if [[ -z $site ]]; then
    # The main archive, neither its security nor its backports part; nothing from third parties.
    # shellcheck disable=SC2016  # $(SITE) is apt's own notation
    site=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' |
      awk -F'|' '$1 == "Debian" && $2 == "Debian" && $3 !~ /^cdrom:/ { print $3; exit }')
  fi
  if [[ -z $site && -r /usr/sbin/debootstrap ]]; then
    site=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' /usr/sbin/debootstrap | head -n 1)
  fi
  [[ -n $site ]] || die "no Debian archive known: install debootstrap or set COUNTERSIGN_DEBIAN_MIRROR"
  printf '%s\n' "$site"
}

# Folder of the private apt; the configuration inside is rewritten on each call, it may have moved.
debian_apt_folder() {
  local suite=$1 arch=$2 folder
  folder=$(cache_root)/apt/$suite-$arch
  mkdir -p "$folder"/{lists/partial,cache/archives/partial}
  : >"$folder/status"
  printf 'deb [signed-by=%s] %s %s main\n' "$DEBIAN_KEYRING" "$(debian_mirror)" "$suite" >"$folder/sources.list"
  cat >"$folder/apt.conf" <<END
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$folder";
Dir::State::Lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::State::extended_states "$folder/extended_states";
Dir::Cache "$folder/cache";
APT::Architecture "$arch";
#clear APT::Architectures;
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
END
  printf '%s\n' "$folder"
}

# Prints the private apt's folder, with an index that is present and not too old.
debian_index() {
  local suite=$1 arch=$2 folder days=${COUNTERSIGN_DEBIAN_DAYS:-7} lock
  [[ -r $DEBIAN_KEYRING ]] || die "$DEBIAN_KEYRING is missing: install debian-archive-keyring"
  folder=$(debian_apt_folder "$suite" "$arch")
  exec {lock}>"$folder/.lock"
  flock "$lock"
  if [[ -z $(find "$folder/fetched" -mmin "-$((days * 24 * 60))" 2>/dev/null) ]]; then
    quiet "package index of Debian $suite for $arch" apt-get -c "$folder/apt.conf" \
      -o APT::Update::Error-Mode=any update {lock}>&-
    rm -f "$folder"/resolved-*
    touch "$folder/fetched"
  fi
  exec {lock}>&-
  printf '%s\n' "$folder"
}

debian_version() {
  local folder version
  folder=$(debian_index "$1" "$2")
  version=$(apt-cache -c "$folder/apt.conf" show --no-all-versions "$3" | sed -n 's/^Version: //p' | head -n 1)
  [[ -n $version ]] || die "Debian $1 has no package $3 for $2"
  printf '%s\n' "$version"
}

debian_depends() {
  local folder
  folder=$(debian_index "$1" "$2")
  apt-cache -c "$folder/apt.conf" depends --important "$3" | sed -n 's/^ *|\?Depends: //p'
}

# All packages of all sets, shared by hard links, so that a new index costs only what changed.
debian_download() {
  local conf=$1 pool lock status=0
  shift
  pool=$(cache_root)/debs
  mkdir -p "$pool"
  exec {lock}>"$pool/.lock"
  flock "$lock"
  find "$pool" -name '*.deb' -links 1 -mtime +"$CACHE_DAYS" -delete
  (cd "$pool" && quiet "download of $# packages" apt-get -c "$conf" --quiet download "$@") {lock}>&- || status=$?
  exec {lock}>&-
  return "$status"
}

# Collect "name=version" words from the pool into the last argument, and write the lock file there.
debian_collect() {
  local arch=$1 target=${*: -1} word file
  for word in "${@:2:$#-2}"; do
    file=${word/=/_}
    file=$(cache_root)/debs/${file//:/%3a}
    [[ -e ${file}_$arch.deb ]] || arch=all
    ln "${file}_$arch.deb" "$target/"
    arch=$1
  done
  for file in "$target"/*.deb; do
    # shellcheck disable=SC2016  # dpkg's own notation
    dpkg-deb --show --showformat '${Package} ${Version} ${Architecture} ' "$file"
    sha256sum "$file" | cut -d' ' -f1
  done | LC_ALL=C sort >"$target/packages.lock"
  note "$(wc -l <"$target/packages.lock") packages, $(size_of "$target")"
}

matches_any() {
  local name=$1 pattern
  shift
  for pattern; do
    # shellcheck disable=SC2053  # a pattern, not a text
    if [[ $name == $pattern ]]; then return 0; fi
  done
  return 1
}

# Prints "name=version" of the words that are to be fetched. $1 is "set" (with dependencies) or "alone".
debian_words() {
  local kind=$1 suite=$2 arch=$3 folder package answer
  local packages=() unwanted=()
  shift 3
  folder=$(debian_index "$suite" "$arch")
  # The answer holds as long as the index: apt needs seconds for it.
  answer=$folder/resolved-$(input_digest "$kind" "$@")
  if [[ $answer -nt $folder/fetched ]]; then
    cat "$answer"
    return
  fi
  for package; do
    if [[ $package == -* ]]; then unwanted+=("${package#-}"); else packages+=("$package"); fi
  done
  if [[ $kind == set ]]; then
    apt-get -c "$folder/apt.conf" --quiet --quiet --simulate install "${packages[@]}" |
      sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' |
      while IFS= read -r package; do
        matches_any "${package%%=*}" "${unwanted[@]}" || printf '%s\n' "$package"
      done
  else
    for package in "${packages[@]}"; do
      [[ $package == *=* ]] || package=$package=$(debian_version "$suite" "$arch" "$package")
      printf '%s\n' "$package"
    done
  fi | LC_ALL=C sort >"$answer.new"
  mv "$answer.new" "$answer"
  cat "$answer"
}

debian_fetch() {
  local kind=$1 suite=$2 arch=$3 name=$4 folder found attempt
  local words=()
  shift 4
  folder=$(debian_apt_folder "$suite" "$arch")
  for attempt in 1 2; do
    found=$(debian_words "$kind" "$suite" "$arch" "$@")
    [[ -n $found ]] || die "the packages of $name cannot be resolved in Debian $suite for $arch"
    mapfile -t words <<<"$found"
    if [[ -d $(cache_path "debs-$name" "$suite $arch" "${words[@]}") ]]; then break; fi
    if debian_download "$folder/apt.conf" "${words[@]}"; then break; fi
    ((attempt == 1)) || die "the packages of $name cannot be fetched"
    note "the package index may be out of date: fetching it again"
    rm -f "$folder/fetched"
  done
  cached "debs-$name" "$suite $arch" "${words[@]}" -- debian_collect "$arch" "${words[@]}"
}

debian_set() { debian_fetch set "$@"; }
debian_alone() { debian_fetch alone "$@"; }

debian_unpack() {
  local folder=$1 target=$2 file package
  local files=("$folder"/*.deb)
  shift 2
  if (($#)); then
    files=()
    for package; do files+=("$folder/${package}"_*.deb); done
  fi
  # Debian has /bin, /lib and /sbin inside /usr; a package that still ships a file under the old names
  # must land there as well. dpkg-deb --extract would replace the links by folders.
  mkdir -p "$target"/usr/{bin,lib,sbin}
  for file in bin lib sbin; do ln -sfn "usr/$file" "$target/$file"; done
  for file in "${files[@]}"; do
    dpkg-deb --fsys-tarfile "$file" |
      tar --extract --directory "$target" --keep-directory-symlink --no-same-owner --preserve-permissions
  done
}
