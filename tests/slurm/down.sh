#!/usr/bin/env bash
# Stops what up.sh started, and nothing else, and removes what it wrote. Packages stay.
set -uo pipefail

HOME_OF_ALL=${ZOOBOT_SLURM:-/var/lib/zoobot-slurm}

is_running() {
    local number
    number=$(cat "$HOME_OF_ALL/$1.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$number/comm" 2>/dev/null)" = "$1" ] || return 1
    ! grep -q '^State:\s*Z' "/proc/$number/status"
}

stop() { # NAME: by the number noted, asked first
    is_running "$1" || return
    kill "$(cat "$HOME_OF_ALL/$1.pid")"
    for _ in $(seq 50); do
        is_running "$1" || return
        sleep 0.2
    done
    kill -9 "$(cat "$HOME_OF_ALL/$1.pid")"
}

if is_running slurmctld && is_running slurmd; then # no job is left behind
    jobs=$(timeout 10 squeue --noheader --format=%A)
    if [ -n "$jobs" ]; then
        # shellcheck disable=SC2086
        timeout 10 scancel $jobs
        for _ in $(seq 60); do
            [ -z "$(timeout 5 squeue --noheader --format=%A)" ] && break
            sleep 0.5
        done
    fi
fi
for name in slurmd slurmctld slurmdbd mariadbd munged; do stop $name; done

for name in slurm.conf gres.conf slurmdbd.conf; do
    if [ "$(readlink "/etc/slurm/$name")" = "$HOME_OF_ALL/$name" ]; then
        rm -f "/etc/slurm/$name"
    fi
done
if grep -q '# zoobot-slurm$' /etc/hosts; then # may be mounted: written in place
    others=$(grep -v '# zoobot-slurm$' /etc/hosts)
    printf '%s\n' "$others" >/etc/hosts
fi
case $HOME_OF_ALL in
*/zoobot-slurm*) rm -rf "$HOME_OF_ALL" ;;
esac
