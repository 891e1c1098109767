#!/bin/sh
# enter.sh PLACE TREE NODE_FOLDER SERVICES RESULTS PROGRAM [ARGUMENTS]: as root in a mount namespace of its own, makes the whole
# machine read-only but for one temporary folder and the folder of the results, drops every right, looks whether that holds, and runs the program.
set -eu

if [ "$1" = sealed ]; then
  place=$2
  shift 2
  [ "$(id -u):$(id -g):$(id -G)" = 10001:10001:10001 ] || { echo "confinement: still $(id)" >&2; exit 97; }
  for line in 'CapPrm:	0000000000000000' 'CapEff:	0000000000000000' 'CapBnd:	0000000000000000' 'NoNewPrivs:	1'; do
    grep -qxF "$line" /proc/self/status || { echo "confinement: \"$line\" does not hold" >&2; exit 97; }
  done
  awk '{ print $5 }' /proc/self/mountinfo | while read -r escaped; do printf '%b\n' "$escaped"; done | {
    cat
    printf '%s\n' /tmp /var/tmp /home "$place" "$place/tree/.cache" "$place/tree/dist" "$place/tree/.data" "$place/tree/.tools"
  } | while read -r folder; do
    case $folder in /dev/pts* | "$place/results") continue ;; esac
    if [ -d "$folder" ] && [ -w "$folder" ]; then echo "confinement: $folder can be written to" >&2; exit 97; fi
  done
  [ -r "$place/tree/package.json" ] && [ -w "$place/tmp" ] && [ -w "$place/results" ] || { echo 'confinement: it closes too much' >&2; exit 97; }
  cd "$place/tree"
  exec "$@"
fi

place=$1 tree=$2 node=$3 services=$4 results=$5
shift 5
mount -t tmpfs -o size=75%,mode=755 tmpfs "$place"
mkdir "$place/tree" "$place/node" "$place/services" "$place/results" "$place/tmp"
chown 10001:10001 "$place/tmp"
mount --bind "$results" "$place/results"
mount --bind "$tree" "$place/tree"
mount --bind "$node" "$place/node"
mount --bind "$services" "$place/services"
# The innermost mounts last: one that refuses is seen below, when somebody without rights may write there.
awk '{ print $5 }' /proc/self/mountinfo | while read -r escaped; do
  folder=$(printf '%b' "$escaped")
  case $folder in /proc | /proc/* | /sys | /sys/* | /dev | /dev/pts | "$place" | "$place/results") continue ;; esac
  mount -o remount,bind,ro "$folder" 2>/dev/null || true
done
export HOME="$place/tmp" TMPDIR="$place/tmp" SERVICES_CACHE="$place/services" PATH="$place/node:$PATH"
unset XDG_CACHE_HOME NODE_COMPILE_CACHE
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps -all --bounding-set -all -- \
  /bin/sh "$place/tree/scripts/confinement/enter.sh" sealed "$place" "$@"
