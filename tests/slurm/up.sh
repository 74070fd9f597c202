#!/usr/bin/env bash
# A Slurm of one node on this machine, to test the workflow on: munged, slurmctld, slurmd
# and, for the accounting, slurmdbd and mariadbd, on the loopback interface, from Debian's
# packages, without systemd or cgroups.
#
#     tests/slurm/up.sh        # as root; again, it mends what has died
#     tests/slurm/down.sh      # stops it and removes all but the packages
#
# It has CPUs, memory and GPUs that are not there: Slurm counts them, and that is tested.
# The limits of memory and time that jobs are held to are real, and so is the accounting:
# a job must be on an account of its user. Exit status 77: no Slurm can be had here, and
# why.
set -euo pipefail

HOME_OF_ALL=${ZOOBOT_SLURM:-/var/lib/zoobot-slurm}
CPUS=${ZOOBOT_SLURM_CPUS:-16}
MEMORY_MB=${ZOOBOT_SLURM_MEMORY_MB:-128000}
GPUS=${ZOOBOT_SLURM_GPUS:-2}
ACCOUNT=${ZOOBOT_SLURM_ACCOUNT:-pretend_account}
PORT=${ZOOBOT_SLURM_PORT:-26817} # slurmctld's; slurmd and slurmdbd have the next ones

cannot() {
    echo "no Slurm here: $*" >&2
    exit 77
}

is_running() { # NAME: the process whose number was noted is alive, and is that program
    local number
    number=$(cat "$HOME_OF_ALL/$1.pid" 2>/dev/null) || return 1
    [ "$(cat "/proc/$number/comm" 2>/dev/null)" = "$1" ] || return 1
    ! grep -q '^State:\s*Z' "/proc/$number/status"
}

start() { # NAME OPTIONS...: detached, its number noted
    local name=$1
    is_running "$name" && return
    setsid "$@" </dev/null >>"$HOME_OF_ALL/$name.out" 2>&1 &
    echo $! >"$HOME_OF_ALL/$name.pid"
}

await() { # WHAT COMMAND...: until the command succeeds
    local what=$1
    shift
    for _ in $(seq 150); do
        timeout 5 "$@" >/dev/null 2>&1 </dev/null && return
        sleep 0.2
    done
    echo "$what: found nothing after 30 s, expected it to answer; see $HOME_OF_ALL" >&2
    tail -n 20 "$HOME_OF_ALL"/*.log "$HOME_OF_ALL"/*.out >&2 || true
    exit 1
}

install_packages() {
    local missing=() package refusal=/usr/sbin/policy-rc.d
    # Of MariaDB the programs, without its own service.
    for package in munge slurm-client slurmctld slurmd slurmdbd \
        mariadb-server-core mariadb-client-core; do
        dpkg --status "$package" 2>/dev/null | grep -q '^Status: .* installed$' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || cannot "found no apt-get to install ${missing[*]}"
    # Packages start their daemons unless this says no.
    if [ ! -e $refusal ]; then
        printf '#!/bin/sh\nexit 101\n' >$refusal
        chmod +x $refusal
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update -qq &&
            apt-get install -qq --yes --no-install-recommends "${missing[@]}"
    } >"$HOME_OF_ALL/apt.out" 2>&1 ||
        cannot "apt-get cannot install ${missing[*]}: $(tail -n 1 "$HOME_OF_ALL/apt.out")"
}

write_configuration() {
    local host=$1 number
    : >"$HOME_OF_ALL/gres.conf"
    for ((number = 0; number < GPUS; number++)); do
        # A GPU needs a device file to be counted and assigned: one like /dev/null.
        [ -e "$HOME_OF_ALL/gpu$number" ] || mknod "$HOME_OF_ALL/gpu$number" c 1 3 ||
            cannot "this root may not make device files"
        echo "NodeName=$host Name=gpu Type=pretend File=$HOME_OF_ALL/gpu$number" \
            >>"$HOME_OF_ALL/gres.conf"
    done
    cat >"$HOME_OF_ALL/slurm.conf" <<CONFIGURATION
ClusterName=pretend
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$HOME_OF_ALL/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$HOME_OF_ALL/state
SlurmdSpoolDir=$HOME_OF_ALL/spool
SlurmctldPidFile=$HOME_OF_ALL/slurmctld.own.pid
SlurmdPidFile=$HOME_OF_ALL/slurmd.own.pid
SlurmctldLogFile=$HOME_OF_ALL/slurmctld.log
SlurmdLogFile=$HOME_OF_ALL/slurmd.log
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 2))
AccountingStoragePass=$HOME_OF_ALL/munge.socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
# More CPUs than the machine has are not an error.
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Memory is looked at every second, and who takes more than was asked for is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=5
# Jobs that have ended can be shown by scontrol for an hour.
MinJobAge=3600
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEMORY_MB Gres=gpu:pretend:$GPUS
PartitionName=batch Nodes=$host Default=YES MaxTime=1:00:00
PartitionName=accelerated Nodes=$host MaxTime=1:00:00
CONFIGURATION
    # It may hold a password, and slurmdbd insists that nobody else can read it.
    (umask 077 && cat >"$HOME_OF_ALL/slurmdbd.conf") <<CONFIGURATION
DbdHost=$host
DbdAddr=127.0.0.1
DbdPort=$((PORT + 2))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$HOME_OF_ALL/munge.socket
CommunicationParameters=NoInAddrAny
PidFile=$HOME_OF_ALL/slurmdbd.own.pid
LogFile=$HOME_OF_ALL/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=accounting
CONFIGURATION
}

start_database() { # small, and without a port: root is let in at its socket
    local folder=$HOME_OF_ALL/database
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.new"
        mariadb-install-db --no-defaults --user=root --datadir="$folder.new" \
            --auth-root-authentication-method=socket --skip-test-db \
            >"$HOME_OF_ALL/mariadb-install-db.out" 2>&1 ||
            cannot "mariadb-install-db: $(tail -n 1 "$HOME_OF_ALL/mariadb-install-db.out")"
        mv "$folder.new" "$folder"
    fi
    start mariadbd --no-defaults --user=root --datadir="$folder" --skip-networking \
        --socket="$HOME_OF_ALL/mariadb.socket" --pid-file="$HOME_OF_ALL/mariadbd.own.pid" \
        --innodb-buffer-pool-size=32M --innodb-log-file-size=16M \
        --innodb-flush-log-at-trx-commit=0 --innodb-lock-wait-timeout=900
    await mariadbd mariadb --no-defaults --socket="$HOME_OF_ALL/mariadb.socket" \
        --execute="SELECT 1"
}

has() { # WHAT NAME: it is registered
    sacctmgr --noheader --parsable2 list "$1" format="$1" | grep --quiet --line-regexp "$2"
}

register() { # the cluster, and an account that root is not charged to unless it asks
    has cluster pretend || sacctmgr --quiet --immediate add cluster pretend
    has account "$ACCOUNT" ||
        sacctmgr --quiet --immediate add account "$ACCOUNT" cluster=pretend
    sacctmgr --noheader --parsable2 list associations user=root format=account |
        grep --quiet --line-regexp "$ACCOUNT" ||
        sacctmgr --quiet --immediate add user root account="$ACCOUNT" cluster=pretend
}

[ "$(id -u)" = 0 ] || cannot "found user $(id -un), expected root"
for name in slurm.conf slurmdbd.conf; do
    if [ -e /etc/slurm/$name ] &&
        [ "$(readlink /etc/slurm/$name)" != "$HOME_OF_ALL/$name" ]; then
        cannot "/etc/slurm/$name is that of another Slurm"
    fi
done
mkdir -p "$HOME_OF_ALL"/{state,spool} /etc/slurm
chmod 755 "$HOME_OF_ALL"
install_packages

host=$(hostname -s)
# Slurm's clients listen where the name of the host leads.
case $(getent ahostsv4 "$host" | head -n 1) in
127.*) ;;
*) echo "127.0.0.1 $host # zoobot-slurm" >>/etc/hosts || cannot "/etc/hosts is read-only" ;;
esac
if [ ! -s "$HOME_OF_ALL/munge.key" ]; then
    head -c 1024 /dev/urandom >"$HOME_OF_ALL/munge.key"
    chmod 400 "$HOME_OF_ALL/munge.key"
fi
write_configuration "$host"
# In its usual place, as jobs lose the variables that would lead elsewhere.
for name in slurm.conf gres.conf slurmdbd.conf; do
    ln -sfn "$HOME_OF_ALL/$name" "/etc/slurm/$name"
done
unset SLURM_CONF

is_running munged || rm -f "$HOME_OF_ALL"/munge.socket*
start munged --foreground --origin=127.0.0.1 --key-file="$HOME_OF_ALL/munge.key" \
    --socket="$HOME_OF_ALL/munge.socket" --seed-file="$HOME_OF_ALL/munge.seed" \
    --pid-file="$HOME_OF_ALL/munged.own.pid" --log-file="$HOME_OF_ALL/munged.log"
await munged munge --socket="$HOME_OF_ALL/munge.socket" --no-input
start_database
MYSQL_UNIX_PORT=$HOME_OF_ALL/mariadb.socket start slurmdbd -D
await slurmdbd sacctmgr --noheader list cluster
register >>"$HOME_OF_ALL/sacctmgr.out" 2>&1
start slurmctld -D
await slurmctld scontrol ping
start slurmd -D
node_is_ready() {
    case $(sinfo --noheader --format=%T) in
    *idle* | *mixed* | *allocated*) return 0 ;;
    *down* | *drain*) scontrol update nodename="$(hostname -s)" state=resume ;;
    esac
    return 1
}
export -f node_is_ready
await slurmd bash -c node_is_ready
