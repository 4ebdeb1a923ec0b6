/** What one process tells another, where the other is slow to hear it. */
import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { NOBODY } from '../../../src/auth/principal.js'
import { Telling } from '../../../src/mcp/telling.js'
import type { PeerRequest } from '../../../src/peers/peers.js'

const MIB = 1024 * 1024
const answer = { resume: () => undefined } as unknown as IncomingMessage

function request(bytes: number): PeerRequest {
  const origin = { address: '', isEncrypted: false }
  return {
    method: 'PUT',
    name: '',
    headers: {},
    body: Buffer.alloc(bytes),
    principal: NOBODY,
    origin,
  }
}

it('no more waits than so many messages and so many bytes; what is beyond is not said', async () => {
  const asked: (() => void)[] = []
  const telling = new Telling(() => new Promise((resolve) => asked.push(() => resolve(answer))))
  const tell = (bytes: number): Promise<void> => telling.tell('there', request(bytes))
  const hear = (): void => {
    for (const it of asked.splice(0)) it()
  }
  const large = Array.from({ length: 4 }, () => tell(10 * MIB))
  await expect.poll(() => asked.length).toBe(3)
  hear()
  await Promise.all(large)
  const small = Array.from({ length: 300 }, () => tell(1))
  await expect.poll(() => asked.length).toBe(256)
  hear()
  await Promise.all(small)
})
