const SMALL =
  'a bare proxy reads and writes; the gateway also finds the session, reads two messages as JSON, cuts names and ids out of their text ' +
  'and puts others in, and measures and logs the call. In the profile of a call more than half of the time is what the bare proxy needs as ' +
  'well (writing to sockets, node:http, undici). Of the rest a quarter is telemetry, half of that writing the log; a fifth collecting ' +
  'garbage and running promises; a sixth reading JSON; what is left is spread over some sixty functions, of which none takes more than one ' +
  'part in a hundred.'

const RULES =
  'the head of the request is longer, the token in it is hashed (0.8 µs), as none is kept, and keys of the arguments are looked at ' +
  'for doubles; what rules decided is looked up. Equal runs say 0.77 to 0.92.'

/** Why a must does not hold, by its key; shown in docs/performance.md where it does not. */
export const EXPLANATIONS = {
  'small-legacy': SMALL,
  'small-modern': `${SMALL} A message of this era is changed eight times on its way: what belongs to a hop is in its body.`,
  'rules-legacy': RULES,
  'rules-modern': RULES,
  telemetry:
    'in a profile of gateways with and without it at the same time, half of what telemetry takes is spent in its own functions; the rest is ' +
    'spread over all others, which find less room in the caches of the CPU. Equal runs say 87 to 92 %.',
  latency:
    'with one connection nothing is done at the same time, so the time of a call is the sum of all work for it: see the first row. The difference is some 20 µs.',
  'large-json':
    'each byte is looked at once, for the end of its text, before it is passed on. Equal runs say 0.6 to 0.8.',
  'large-sse':
    'each byte is looked at once, for the end of its line and of its text, before it is passed on. Equal runs say 0.5 to 0.9.',
  'idle-cpu':
    'the kernel counts CPU in steps of 10 ms, and what is done here takes less at a time: equal runs say 0.5 to 1.3 %.',
  sizes:
    'a result is held whole until it is known to be one, so one of 32 MiB takes 32 MiB; the peak stays the same up to 8 MiB.',
  initialize:
    'the session is sealed into its id, which takes the same however many backends there are; the rest is noise.',
  workers:
    'connections come through the process that was started, and lines of the log go back through it: 3 to 7 µs of each call. Equal runs say 1.4 to 1.6.',
}
