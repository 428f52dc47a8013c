/* The protocol of include/abi/breaker.h between the kernel's programs on two CPUs and the agent.
 *
 * One line here is one atomic step there: a load, a store, an atomic add or a compare-and-swap of
 * one word. What the programs read, decide and change in several steps is several steps here, and
 * everything else may happen in between. Times are left out, so any timeout may end at any tick.
 *
 * One assumption about time is made, `stale` below: a run of a program, which is microseconds, does
 * not outlast an OPEN epoch, which is at least 0.1 s. Without it a CPU that stops between reading
 * the word and taking its ticket could take one of a later epoch.
 *
 * A mutant (-DNO_...) leaves out one thing that the protocol needs; verify.sh wants each to fail.
 */
#define CLOSED 0
#define OPEN 1
#define HALF_OPEN 2

#define THRESHOLD 2 /* failures in a row */
#define PERMITTED 1 /* probes per epoch */
#define NEEDED 1    /* successes to close */
#ifndef CPUS
#define CPUS 2
#endif
#define CRASHES 1
#define AGENT 2
#define TICKS_IN_HALF_OPEN 1 /* before half_open_timeout */

/* The row. An epoch is only ever compared with the present one, so what is kept of those that were
 * read is whether they still are: exact, and without a number that would wrap. */
byte state = CLOSED;
bool current[3];     /* the word last read, by each CPU and the agent */
bool probing[2];     /* this CPU has a probe in flight, of the present epoch */
byte consecutive, admitted, successes, failures;
bool beating = true; /* expires_ns is not past */

bool down, dead;     /* the agent: crashed, for ever */
bool crash;
byte crashes;

/* What the properties are about, seen from outside. */
bool running[2];     /* a program, on this CPU */
bool stale[2];       /* ... since before the row became OPEN */
byte failed_in_row;  /* in this CLOSED epoch, by outcomes that began in it */
byte passed;         /* probes since the row became HALF_OPEN */
byte succeeded;      /* of them, in this epoch */

#define CAPPED_ADD(word, cap) word = (word < cap -> word + 1 : cap)

inline read_word(who) {
    atomic { s = state; current[who] = true }
}

/* Every change of the word: from the one that was decided on to the next epoch. */
inline write_word(who, to) {
    assert(current[who]);
    state = to;
    current[0] = false;
    current[1] = false;
    current[AGENT] = false;
    probing[0] = false;
    probing[1] = false;
    if
    :: to == OPEN ->
        stale[0] = running[0];
        stale[1] = running[1]
    :: to == HALF_OPEN ->
        passed = 0;
        succeeded = 0
    :: to == CLOSED -> failed_in_row = 0
    :: else
    fi
}

inline swap(who, to) {
    atomic {
        if
        :: current[who] -> write_word(who, to)
        :: else
        fi
    }
}

#ifdef NO_SWAP
#define agent_swap(to) atomic { write_word(AGENT, to) }
#else
#define agent_swap(to) swap(AGENT, to)
#endif

inline end_program() {
    atomic { running[cpu] = false;
        stale[cpu] = false;
        current[cpu] = false;
        s = 0;
        ticket = 0;
        enforced = false
    }
}

proctype kernel(byte cpu) {
    byte s, ticket;
    bool enforced;

    do
    :: /* connect() */
        atomic { running[cpu] = true; enforced = beating }
        read_word(cpu);
        if
        :: enforced && s == OPEN -> end_program(); goto refused
        :: enforced && s == HALF_OPEN ->
#ifdef NO_ATOMIC_TICKET
            ticket = admitted;
            atomic { admitted = (ticket < PERMITTED + 1 -> ticket + 1 : ticket) }
#else
            atomic { ticket = admitted; CAPPED_ADD(admitted, PERMITTED + 1) }
#endif
            if
            :: ticket < PERMITTED ->
                atomic {
                    passed++;
                    assert(passed <= PERMITTED);
                    probing[cpu] = current[cpu]
                }
            :: else -> end_program(); goto refused
            fi
        :: else /* passes: CLOSED, or nobody enforces */
        fi;
        end_program();

        /* Some time later, the outcome, if there is one: a connection may be closed without a call. */
        if
        :: goto refused
        :: running[cpu] = true
        fi;
        read_word(cpu);
        if
        :: s == CLOSED ->
            if
            :: /* failed */
                atomic {
                    CAPPED_ADD(consecutive, THRESHOLD + 1);
                    ticket = consecutive;
                    if
                    :: current[cpu] -> CAPPED_ADD(failed_in_row, THRESHOLD)
                    :: else
                    fi
                }
                if
                :: ticket >= THRESHOLD -> swap(cpu, OPEN)
                :: else
                fi
            :: /* succeeded */
                atomic { consecutive = 0; failed_in_row = 0 }
            fi
#ifdef NO_EPOCH
        :: s == HALF_OPEN ->
#else
        :: s == HALF_OPEN && probing[cpu] ->
#endif
            if
            :: failures = 1;
                swap(cpu, OPEN)
            :: atomic {
                    CAPPED_ADD(successes, NEEDED);
                    if
                    :: current[cpu] && probing[cpu] -> CAPPED_ADD(succeeded, NEEDED)
                    :: else
                    fi
                }
            fi
        :: else
        fi;
        end_program();
refused:
        probing[cpu] = false
    od
}

proctype agent() {
    byte s, ticks;

again:
    {
        do
        :: beating = true;
            read_word(AGENT);
            if
            :: s == CLOSED ->
                ticks = 0;
                if
                :: consecutive >= THRESHOLD -> agent_swap(OPEN)
                :: true -> agent_swap(OPEN) /* a rate */
                :: true -> /* a reset by hand */
#ifdef NO_ZERO_BEFORE
                    agent_swap(CLOSED);
                    consecutive = 0
#else
                    /* Meant to forget what was counted, whatever becomes of the swap. */
                    atomic { consecutive = 0; failed_in_row = 0 }
                    agent_swap(CLOSED)
#endif
                :: consecutive < THRESHOLD
                fi
            :: s == OPEN ->
                if
#ifdef NO_GRACE
                :: true ->
#else
                :: !stale[0] && !stale[1] ->
#endif
                    ticks = 0;
                    admitted = 0;
                    successes = 0;
                    failures = 0;
                    agent_swap(HALF_OPEN)
                :: else
                fi
            :: s == HALF_OPEN ->
                if
                :: failures > 0 -> agent_swap(OPEN)
                :: failures == 0 && successes >= NEEDED ->
#ifdef NO_ZERO_BEFORE
                    agent_swap(CLOSED);
                    consecutive = 0
#else
                    consecutive = 0;
                    atomic {
                        assert(!current[AGENT] || succeeded >= NEEDED);
                        agent_swap(CLOSED)
                    }
#endif
                :: failures == 0 && successes < NEEDED ->
                    if
                    :: ticks < TICKS_IN_HALF_OPEN -> ticks++
#ifdef NO_TIMEOUT
                    :: else
#else
                    :: else -> agent_swap(OPEN)
#endif
                    fi
                fi
            fi
        od
    } unless {
        atomic { crash -> crash = false; down = true; current[AGENT] = false; s = 0; ticks = 0 }
    }
    if
    :: down = false; goto again /* adopts the row as it stands */
    :: dead = true
    fi
}

proctype trouble() {
end:
    do
    :: atomic { crashes < CRASHES && !crash -> crashes++; crash = true }
    :: atomic { down && beating -> beating = false }
    :: crashes == CRASHES && dead && !beating -> break
    od
}

/* The connect after the tripping failure is already refused: no outcome that reached the threshold
 * is over and the row still CLOSED. And no failure is forgotten. */
proctype lost_trip() {
end:
    do
    :: atomic { state == CLOSED && failed_in_row > consecutive -> assert(false) }
    :: atomic {
            state == CLOSED && failed_in_row >= THRESHOLD && !running[0] && !running[1] ->
            assert(false)
        }
    od
}

init {
    atomic {
        run kernel(0);
#if CPUS > 1
        run kernel(1);
#endif
        run agent();
        run trouble();
        run lost_trip()
    }
}

/* No state stays while there is an agent; without one connects pass, once the heartbeat is over. */
ltl open_ends { [] (state == OPEN -> <> (state != OPEN || dead)) }
ltl half_open_ends { [] (state == HALF_OPEN -> <> (state != HALF_OPEN || dead)) }
ltl counted_is_acted_on {
    [] (state == CLOSED && consecutive >= THRESHOLD ->
        <> (state != CLOSED || consecutive < THRESHOLD || dead))
}
ltl expires { [] (dead -> <> (!beating)) }
