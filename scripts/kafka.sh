#!/usr/bin/env bash
#
# Runs Apache Kafka brokers on this machine without Docker: one, or a cluster of three, for tests and for trying things out.
# Needs Java 17 or later and Maven, which fetches the pinned jars of scripts/kafka/pom.xml once (44 MB, into .tools/).
# Leaves behind: the jars and a class-data archive; `down` removes all else.
set -euo pipefail

VERSION=4.3.1
READY_WITHIN_S=60
USER_NAME=weir
USER_PASSWORD=weir-secret

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
JARS=$ROOT/.tools/kafka-$VERSION
RUN=$ROOT/.tools/kafka
PORT=19092
SECURE=false
MEASURED=false
ATTACHED=false
BROKER=''

usage() {
    cat <<TEXT
Usage: scripts/kafka.sh COMMAND [--dir DIR] [--port PORT]

Commands:
  fetch              fetch the jars, start nothing
  up [1|3]           start one broker (default) or three, and print KAFKA_BROKERS=host:port,...
  run                the same with one broker that is a child of this process, until SIGTERM, SIGINT or its end; then \`down\`
  kill N             end broker N (1, 2 or 3) with SIGKILL, as a crash would
  start N            start broker N again, over what it stored
  down               stop all brokers and remove what they stored
  status             name the brokers that run

Options:
  --dir DIR          folder of this cluster (default .tools/kafka): several clusters can run side by side
  --port PORT        port of broker 1 (default 19092). A cluster takes nine ports from there on
  --secure           for \`up\`: listen with TLS and SASL too (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER with
                     tokens that nobody signed). DIR/env then has KAFKA_SECURE_BROKERS, KAFKA_CA (a PEM file), KAFKA_USER
                     and KAFKA_PASSWORD
  --measured         for \`up\` and \`run\`: the virtual machine as Kafka's own scripts start it (1 GB of heap, G1, all
                     compilers), to measure with; without it brokers are small and start quickly, for tests

Brokers listen on 127.0.0.1 only. DIR/env holds what \`up\` prints; DIR/broker-N.log is the log of broker N.
TEXT
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'kafka: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'kafka: %s\n\n' "$*" >&2
    usage >&2
    exit 64
}

# Ports of broker $1: clients, controllers, and clients with TLS and a password.
client_port() { say $((PORT + 3 * ($1 - 1))); }
controller_port() { say $((PORT + 3 * ($1 - 1) + 1)); }
secure_port() { say $((PORT + 3 * ($1 - 1) + 2)); }

# All jars are there, or none is: they are copied into a folder beside, which then takes the name.
fetch() {
    [[ ! -d $JARS/libs ]] || return 0
    command -v java >/dev/null || fail "Java 17 or later is needed: install a JRE"
    command -v mvn >/dev/null || fail "Maven is needed to fetch Kafka: install maven"
    mkdir -p "$JARS"
    local work
    work=$(mktemp -d "$JARS/fetch.XXXXXX")
    say "fetching Apache Kafka $VERSION into $JARS"
    # Strict: a jar whose checksum is not the repository's fails the fetch.
    if ! mvn --quiet --batch-mode --strict-checksums --file "$ROOT/scripts/kafka/pom.xml" \
        dependency:copy-dependencies -DoutputDirectory="$work" -DincludeScope=runtime; then
        rm -rf "$work"
        fail "Maven could not fetch Kafka (its message is above)"
    fi
    # Another fetch may have been quicker.
    if [[ -d $JARS/libs ]]; then rm -rf "$work"; else mv "$work" "$JARS/libs"; fi
}

# The class path in a fixed order: an archive of classes is valid for exactly one.
class_path() { printf '%s:' "$JARS"/libs/*.jar; }

# Sets JAVA to a command that is small and quick to start, where a broker serves tests.
java_command() {
    local archive=$JARS/classes.jsa machine=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1)
    if [[ -e $RUN/measured ]]; then
        machine=(-Xmx1g -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35
            -XX:+ExplicitGCInvokesConcurrent)
    fi
    JAVA=(java "${machine[@]}" -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off \
        -Dlog4j2.configurationFile="$ROOT/scripts/kafka/log4j2.yaml" -cp "$(class_path)")
    # The classes that a first broker loaded, which it kept when it stopped (see launch).
    if [[ -f $archive && ! -e $RUN/measured ]]; then JAVA+=(-XX:SharedArchiveFile="$archive"); fi
}

# Writes the settings of broker $1 of $2.
settings() {
    local node=$1 count=$2 other voters='' in_sync=1
    for ((other = 1; other <= count; other++)); do
        voters+=${voters:+,}$other@127.0.0.1:$(controller_port "$other")
    done
    if ((count > 1)); then in_sync=2; fi
    local listeners advertised
    advertised=PLAINTEXT://127.0.0.1:$(client_port "$node")
    if $SECURE; then advertised+=,SASL_SSL://localhost:$(secure_port "$node"); fi
    listeners=${advertised//localhost/127.0.0.1},CONTROLLER://127.0.0.1:$(controller_port "$node")
    cat <<TEXT
process.roles=broker,controller
node.id=$node
listeners=$listeners
advertised.listeners=$advertised
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=$voters
log.dirs=$RUN/broker-$node
auto.create.topics.enable=false
default.replication.factor=$count
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$count
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$count
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$count
share.coordinator.state.topic.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=4
# Room for our records of 10 MiB.
message.max.bytes=11000000
replica.fetch.max.bytes=11000000
# Quick groups and quick failover: these brokers serve tests.
group.initial.rebalance.delay.ms=0
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=200
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=5000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
TEXT
    if $SECURE; then
        local security=org.apache.kafka.common.security
        cat <<TEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
ssl.keystore.type=PKCS12
ssl.keystore.location=$RUN/server.p12
ssl.keystore.password=$USER_PASSWORD
listener.name.sasl_ssl.plain.sasl.jaas.config=$security.plain.PlainLoginModule required user_$USER_NAME="$USER_PASSWORD";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$security.scram.ScramLoginModule required;
# Tokens are not signed here: brokers of tests alone may take them.
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=$security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
TEXT
    fi
}

# A certificate for localhost that signs itself: its PEM file is what clients trust.
certificate() {
    keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -validity 30 -dname CN=localhost \
        -ext san=dns:localhost,ip:127.0.0.1 -storetype PKCS12 -keystore "$RUN/server.p12" \
        -storepass "$USER_PASSWORD" 2>/dev/null
    keytool -exportcert -rfc -alias broker -keystore "$RUN/server.p12" -storepass "$USER_PASSWORD" \
        -file "$RUN/ca.pem" 2>/dev/null
}

pid_of() { cat "$RUN/broker-$1.pid" 2>/dev/null || true; }

# The process must be ours: a number can have been given to another since.
is_running() {
    local pid
    pid=$(pid_of "$1")
    [[ -n $pid && $(ps -o args= -p "$pid" 2>/dev/null) == *"kafka.Kafka $RUN/broker-$1.properties" ]]
}

# Whether somebody listens on port $1.
is_listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A process that was killed is no longer listed a moment before its ports are free.
is_there() { is_running "$1" || is_listening "$(client_port "$1")"; }

# Starts broker $1 in the background.
launch() {
    local node=$1 archive=$JARS/classes.jsa
    java_command
    # An archive is for one kind of virtual machine: those of tests are started often.
    if [[ ! -f $archive && ! -e $RUN/measured ]] && ((node == 1)); then JAVA+=(-XX:ArchiveClassesAtExit="$archive"); fi
    # A session of its own: a Ctrl-C in the terminal that called does not reach the broker. Not where the broker is to be a
    # child of this process.
    local session=(nohup)
    if command -v setsid >/dev/null; then session=(setsid); fi
    if $ATTACHED; then session=(); fi
    # shellcheck disable=SC2016  # expanded by the inner shell, which becomes the broker
    (cd "$RUN" && exec "${session[@]}" bash -c 'echo $$ >"$0" && exec "$@"' "$RUN/broker-$node.pid" \
        "${JAVA[@]}" kafka.Kafka "$RUN/broker-$node.properties") >"$RUN/broker-$node.log" 2>&1 </dev/null &
    if $ATTACHED; then BROKER=$!; else disown; fi
}

await_ready() {
    local node=$1 deadline=$((SECONDS + READY_WITHIN_S))
    until grep -q 'Kafka Server started' "$RUN/broker-$node.log" 2>/dev/null; do
        if [[ -s $RUN/broker-$node.pid ]] && ! kill -0 "$(pid_of "$node")" 2>/dev/null; then
            tail -n 20 "$RUN/broker-$node.log" >&2
            fail "broker $node ended; the end of its log is above"
        fi
        ((SECONDS < deadline)) || fail "broker $node is not ready after $READY_WITHIN_S s: see $RUN/broker-$node.log"
        sleep 0.1
    done
}

nodes() { find "$RUN" -maxdepth 1 -name 'broker-*.properties' 2>/dev/null | grep -Eo '[0-9]+\.properties$' | sed 's/\..*//' | sort; }

# Prepares the empty folder of broker $1 for cluster $2.
format() {
    local user=()
    if $SECURE; then
        user=(--add-scram "SCRAM-SHA-256=[name=$USER_NAME,password=$USER_PASSWORD]"
            --add-scram "SCRAM-SHA-512=[name=$USER_NAME,password=$USER_PASSWORD]")
    fi
    "${JAVA[@]}" kafka.tools.StorageTool format "${user[@]}" --cluster-id "$2" \
        --config "$RUN/broker-$1.properties" >"$RUN/format-$1.log" 2>&1
}

up() {
    local count=$1 node id brokers='' secure_brokers=''
    fetch
    if [[ -n $(nodes) ]]; then
        [[ $(nodes | wc -l) == "$count" ]] || fail "another number of brokers is up: run 'scripts/kafka.sh down' first"
        for node in $(nodes); do is_running "$node" || fail "broker $node is down: start it, or run 'down'"; done
        cat "$RUN/env"
        return
    fi
    mkdir -p "$RUN"
    RUN=$(cd "$RUN" && pwd -P)
    local port
    for ((node = 1; node <= count; node++)); do
        for port in $(client_port "$node") $(controller_port "$node") $(secure_port "$node"); do
            ! is_listening "$port" || fail "port $port is in use: choose another with --port"
        done
    done
    if $SECURE; then certificate; fi
    if $MEASURED; then touch "$RUN/measured"; fi
    java_command
    id=W$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-20)A
    for ((node = 1; node <= count; node++)); do
        settings "$node" "$count" >"$RUN/broker-$node.properties"
        format "$node" "$id" &
    done
    wait
    for ((node = 1; node <= count; node++)); do
        [[ -f $RUN/broker-$node/meta.properties ]] || {
            cat "$RUN/format-$node.log" >&2
            rm -rf "$RUN"
            fail "broker $node could not be formatted"
        }
        launch "$node"
        brokers+=${brokers:+,}127.0.0.1:$(client_port "$node")
        secure_brokers+=${secure_brokers:+,}localhost:$(secure_port "$node")
    done
    for node in $(nodes); do await_ready "$node"; done
    {
        say "KAFKA_BROKERS=$brokers"
        if $SECURE; then
            say "KAFKA_SECURE_BROKERS=$secure_brokers"
            say "KAFKA_CA=$RUN/ca.pem"
            say "KAFKA_USER=$USER_NAME"
            say "KAFKA_PASSWORD=$USER_PASSWORD"
        fi
    } >"$RUN/env"
    cat "$RUN/env"
}

down() {
    local node signal=KILL deadline=$((SECONDS + 20))
    # What they stored goes too, so there is nothing to finish; only the archive of classes is written at an orderly end.
    if [[ ! -f $JARS/classes.jsa && ! -e $RUN/measured ]]; then signal=TERM; fi
    for node in $(nodes); do
        if is_running "$node"; then kill "-$signal" "$(pid_of "$node")"; fi
    done
    for node in $(nodes); do
        while is_there "$node"; do
            # Of three, the last one cannot leave in order: the quorum is gone.
            if ((SECONDS >= deadline)); then kill -KILL "$(pid_of "$node")" 2>/dev/null || true; fi
            sleep 0.05
        done
    done
    rm -rf "$RUN"
}

main() {
    local command='' argument='' node
    while (($# > 0)); do
        case $1 in
            --help | -h)
                usage
                exit 0
                ;;
            --dir | --port)
                (($# > 1)) || usage_error "$1 needs a value"
                if [[ $1 == --dir ]]; then RUN=$2; else PORT=$2; fi
                shift
                ;;
            --secure) SECURE=true ;;
            --measured) MEASURED=true ;;
            -*) usage_error "unknown option: $1" ;;
            *)
                if [[ -z $command ]]; then
                    command=$1
                elif [[ -z $argument ]]; then
                    argument=$1
                else
                    usage_error "unknown argument: $1"
                fi
                ;;
        esac
        shift
    done
    if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || ((PORT > 65526)); then usage_error "--port takes 1 to 65526, not '$PORT'"; fi
    [[ $RUN == /* ]] || RUN=$PWD/$RUN
    case $command in
        fetch) fetch ;;
        up)
            case ${argument:-1} in 1 | 3) up "${argument:-1}" ;; *) usage_error "up takes 1 or 3, not '$argument'" ;; esac
            ;;
        run)
            [[ -z $argument ]] || usage_error "run takes no number"
            [[ -z $(nodes) ]] || fail "brokers of $RUN are up: run 'scripts/kafka.sh down' first"
            ATTACHED=true
            trap down EXIT
            trap 'exit 0' TERM INT
            up 1
            wait "$BROKER" || true
            fail "the broker has ended by itself"
            ;;
        kill | start)
            [[ $argument =~ ^[123]$ && -f $RUN/broker-$argument.properties ]] || fail "$command needs the number of a broker of this cluster"
            if [[ $command == kill ]]; then
                is_running "$argument" || fail "broker $argument does not run"
                kill -KILL "$(pid_of "$argument")"
                while is_there "$argument"; do sleep 0.05; done
            else
                ! is_running "$argument" || fail "broker $argument runs already"
                rm -f "$RUN/broker-$argument.log" "$RUN/broker-$argument.pid"
                launch "$argument"
                await_ready "$argument"
            fi
            ;;
        down) down ;;
        status)
            for node in $(nodes); do
                if is_running "$node"; then say "broker $node: process $(pid_of "$node")"; else say "broker $node: down"; fi
            done
            ;;
        '') usage_error "a command is missing" ;;
        *) usage_error "unknown command: $command" ;;
    esac
}

main "$@"
