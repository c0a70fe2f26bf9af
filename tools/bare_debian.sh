#!/usr/bin/env bash
# Runs a command in a bare Debian that has Python and nothing else, on a clean clone of this checkout: a machine where
# somebody has worked hides what is missing.
#
#   tools/bare_debian.sh [--worktree] [--packages LIST] [--suite NAME] [--keep] [--] COMMAND...
#   tools/bare_debian.sh python3 run.py demo
#
#   --worktree       copy the files as they are now instead of cloning what is committed
#   --packages LIST  what the system has besides the base (default python3,python3-venv,ca-certificates)
#   --suite NAME     the Debian release (default bookworm)
#   --keep           leave the system where it is and say where
#
# Needs root, debootstrap and unshare (apt-get install debootstrap util-linux). The first call takes a minute to make the
# base, which is kept in RAFTMQ_BARE_CACHE (default ~/.cache/raftmq). RAFTMQ_DEBIAN_MIRROR names another mirror. What pip
# needs on this machine (PIP_*, proxies, certificate authorities, find-links folders) is passed through.
set -euo pipefail

packages=python3,python3-venv,ca-certificates
suite=bookworm
worktree=
keep=
while [ $# -gt 0 ]; do
  case $1 in
    --worktree) worktree=1; shift ;;
    --packages) packages=$2; shift 2 ;;
    --suite) suite=$2; shift 2 ;;
    --keep) keep=1; shift ;;
    --) shift; break ;;
    -*) echo "unknown option $1" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare_debian.sh needs root (chroot and mounts): sudo $0 ..." >&2; exit 2; }
for tool in debootstrap unshare git; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install debootstrap util-linux git" >&2; exit 2; }
done

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${RAFTMQ_BARE_CACHE:-$HOME/.cache/raftmq}
base=$cache/$suite-$(printf %s "$packages" | tr -c 'a-z0-9' -)
system=$(mktemp -d "${TMPDIR:-/var/tmp}/raftmq-bare.XXXXXX")

finish() {
  if [ -n "$keep" ]; then echo "the system is in $system" >&2; else rm -rf --one-file-system "$system"; fi
}
trap finish EXIT

make_base() {
  [ -e "$base/made" ] && return
  echo "making a bare $suite with $packages" >&2
  rm -rf --one-file-system "$base"
  mkdir -p "$base"
  debootstrap --variant=minbase --include="$packages" "$suite" "$base/system" ${RAFTMQ_DEBIAN_MIRROR:+"$RAFTMQ_DEBIAN_MIRROR"} \
    >"$base/log" 2>&1 || { tail -n 20 "$base/log" >&2; exit 1; }
  rm -rf "$base"/system/var/cache/apt/archives/*.deb
  touch "$base/made"
}

copy_checkout() {
  if [ -n "$worktree" ]; then
    mkdir "$system/raftmq"
    git -C "$root" ls-files -z --cached --others --exclude-standard |
      (cd "$root" && while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done) |
      tar -C "$root" --null -T - -c | tar -C "$system/raftmq" -x --no-same-owner
  else
    git clone --quiet --no-hardlinks "$root" "$system/raftmq"
  fi
}

# The settings that say where packages come from, and the files they name, under the same names inside.
passed=()
copy_settings() {
  local name value file
  while IFS='=' read -r -d '' name value; do
    case $name in
      PIP_* | SSL_CERT_FILE | SSL_CERT_DIR | REQUESTS_CA_BUNDLE | CURL_CA_BUNDLE | *_proxy | *_PROXY | CI | RAFTMQ_* | HYPOTHESIS_*) ;;
      *) continue ;;
    esac
    [ "$name" = RAFTMQ_BARE_CACHE ] && continue
    passed+=("$name=$value")
    if [ -f "$value" ]; then
      mkdir -p "$system$(dirname "$value")"
      cp -L "$value" "$system$value"
    fi
  done < <(env -0)
  for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ -f "$file" ] && mkdir -p "$system$(dirname "$file")" && cp -L "$file" "$system$file"
  done
  for file in .config/pip/pip.conf .pip/pip.conf; do
    [ -f "$HOME/$file" ] && mkdir -p "$system/root/$(dirname "$file")" && cp -L "$HOME/$file" "$system/root/$file"
  done
  return 0
}

make_base
cp -a "$base/system/." "$system/"
copy_checkout
copy_settings

# Namespaces of its own: whatever the command leaves running or mounted is gone when it ends.
inside='
set -eu
system=$1; shift
mount -t proc proc "$system/proc"
mount --rbind /dev "$system/dev"
for folder in ${PIP_FIND_LINKS:-}; do
  case $folder in /*) [ -d "$folder" ] && mkdir -p "$system$folder" && mount --bind "$folder" "$system$folder" ;; esac
done
exec chroot "$system" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$@"
'
begun=$SECONDS
status=0
unshare --mount --pid --fork --kill-child sh -c "$inside" sh "$system" "${passed[@]}" \
  sh -c 'cd /raftmq && exec "$@"' sh "$@" || status=$?
echo "bare $suite: exit $status after $((SECONDS - begun)) s" >&2
exit "$status"
