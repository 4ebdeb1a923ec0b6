/** How V8 collects what calls leave behind. */
import { setFlagsFromString } from 'node:v8'

/**
 * Makes all objects young. V8 learns which places in the code make objects that live long, and makes those among the old ones
 * from the start; as it never unlearns, one burst of calls, which wait for each other and so live long, makes parts of all
 * later calls old. What is old and dead holds on to what is young until all is collected: a fifth of what a call leaves was
 * copied by each small collection, which took 5 to 8 ms and not 0.9 (Node 20 and 24, `npm run bench`, 32 connections after 256).
 *
 * For processes of our own: a program that has the gateway in it decides for itself.
 */
export function keepCallsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
