/**
 * Who may make something happen: the page itself, or no browser at all. A browser sends to us what pages of others tell it
 * to, with whatever it knows of us; it says so in `Sec-Fetch-Site` and `Origin`, and asks first where the body is JSON.
 */
import type { IncomingMessage } from 'node:http'
import { RefusedError } from './refusal.js'

/** @throws RefusedError 403, 415 */
export function requireOwnPage({ headers }: IncomingMessage): void {
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  const isElsewhere = site !== undefined && site !== 'same-origin'
  const isOther = origin !== undefined && origin.replace(/^https?:\/\//, '') !== host
  if (isElsewhere || isOther) throw new RefusedError(403, 'only the page itself may ask for this')
  if (headers['content-type']?.split(';', 1)[0]?.trim() !== 'application/json') {
    throw new RefusedError(415, 'the Content-Type must be application/json')
  }
}
