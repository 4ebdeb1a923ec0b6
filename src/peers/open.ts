/** Whether this process is reached by others that have its keys, and where. */
import type { ListenSettings } from '../http/settings.js'
import type { SessionSettings } from '../session/settings.js'
import { Peers } from './peers.js'
import { peerHost } from './settings.js'

/**
 * `undefined` where nobody else can have the keys, or nothing is to be given.
 * @throws the error of `listen`, such as EADDRINUSE
 */
export async function openPeers(
  { keys, peers }: SessionSettings,
  { host }: ListenSettings,
): Promise<Peers | undefined> {
  if (peers === false || keys.length === 0) return undefined
  return Peers.open(peerHost(peers.host, host), peers.port, keys)
}
