/**
 * Keeps a process as quick as it began, against two things that V8 learns of a gateway at work and does not unlearn. To be
 * imported before all else, by processes of our own: a program that has the gateway in it decides for itself.
 */
import { createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'

/**
 * V8 learns which places in the code make objects that live long, and makes those among the old ones from the start. One burst
 * of calls, which wait for each other and so live long, makes parts of all later calls old, and what is old and dead holds on
 * to what is young until all is collected: a fifth of what calls leave was copied by each small collection, which took 5 to 8
 * ms and not 0.9 (Node 20 and 24, 32 connections after 256).
 */
setFlagsFromString('--no-allocation-site-pretenuring')

/**
 * Held for the collector to find. V8 forgets how Node's objects of ticks are laid out when a full collection finds none of
 * them, and from then on makes each of them by calls into its runtime: 220 ns instead of 55, some eight times for each call
 * (Node 20; less on Node 24).
 */
export const ticks: object[] = []

// On for as long as it takes: each callback costs more with it, and with `executionAsyncResource` for good.
const hook = createHook({
  init: (_id, type, _trigger, resource: object) => {
    if (type === 'TickObject') ticks.push(resource)
  },
}).enable()
// Without arguments and with some, as both are used.
process.nextTick(() => undefined)
process.nextTick(() => undefined, undefined)
hook.disable()
