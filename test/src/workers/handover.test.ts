import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Receiver } from '../../../src/workers/handover.js'
import { Handover } from '../../../src/workers/handover.js'
import { waitUntil } from '../../support/wait-until.js'

function receiver() {
  const given: Socket[] = []
  return { given, give: (connection: Socket) => void given.push(connection) } satisfies Receiver & {
    given: Socket[]
  }
}

async function connected(port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1')
  await once(client, 'connect')
  return client
}

describe('connections on their way to workers', () => {
  it('go to them in turn, and wait for one that is free', async () => {
    const handover = new Handover()
    const port = await handover.listen('127.0.0.1', 0)
    const [one, two] = [receiver(), receiver()]
    const clients = [await connected(port), await connected(port), await connected(port)]
    handover.add(one)
    handover.add(two)
    await waitUntil(() => one.given.length + two.given.length === 2, 'two to be given')
    handover.taken(two)
    await waitUntil(() => two.given.length === 2, 'the third')
    for (const it of [one, two]) handover.taken(it)
    await handover.close()
    for (const it of clients) it.destroy()
  })

  it('go to another where a worker dies before it says it has one', async () => {
    const handover = new Handover()
    const port = await handover.listen('127.0.0.1', 0)
    const [dies, lives] = [receiver(), receiver()]
    handover.add(dies)
    const client = await connected(port)
    await waitUntil(() => dies.given.length === 1, 'the connection')
    handover.remove(dies)
    handover.add(lives)
    expect(lives.given).toEqual(dies.given)
    handover.taken(lives)
    await handover.close()
    client.destroy()
  })

  it('end with the port where no worker is left', async () => {
    const handover = new Handover()
    const client = await connected(await handover.listen('127.0.0.1', 0))
    const closed = once(client, 'close')
    client.resume().on('error', () => undefined)
    await handover.close()
    await closed
    expect(client.destroyed).toBe(true)
  })
})
