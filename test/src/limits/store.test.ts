/** A store that is no Redis, or one that says too much. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { RENEW } from '../../../src/limits/redis/scripts.js'
import type { StoreState } from '../../../src/limits/redis/store.js'
import { RedisStore } from '../../../src/limits/redis/store.js'
import { storeSchema } from '../../../src/limits/store-settings.js'
import { waitUntil } from '../../support/wait-until.js'

const PASSWORD = 'pl4nted-word'

/** A server that answers to whatever it gets, and a store of it. */
async function world(answer: (socket: Socket, question: string) => void, timeout = '100ms') {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => answer(socket, data.toString()))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const url = `redis://:${PASSWORD}@127.0.0.1:${port}`
  const { redis } = storeSchema.parse({ redis: { url, timeout } }) ?? {}
  if (redis === undefined) throw new Error('no settings')
  const states: StoreState[] = []
  const store = new RedisStore(redis, (state) => states.push(state))
  store.start()
  return {
    store,
    states,
    sockets,
    [Symbol.asyncDispose]: async () => {
      await store.close()
      for (const socket of sockets) socket.destroy()
      await once(server.close(), 'close')
    },
  }
}

describe('a store', () => {
  it.each([
    [
      `-ERR unknown command 'AUTH', with args beginning with: '${PASSWORD}' \r\n`,
      'Redis answers ERR unknown command',
    ],
    [`-ERR what is ${PASSWORD}?\r\n`, 'Redis answers ERR what is …?'],
    [`-ERR \u001b[31m${'x'.repeat(500)}\r\n`, 'Redis answers ERR ?[31mx'],
    ['-NOPERM no permission\r\n', 'Redis answers NOPERM no permission'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', ''],
  ])('that answers %j is not used, and nothing of ours is told', async (answer, reason) => {
    await using it = await world((socket) => socket.write(answer))
    await waitUntil(() => it.states.length > 0, 'the store to be down')
    expect(it.states[0]?.isUp).toBe(false)
    const text = it.states[0]?.reason ?? ''
    expect(text.slice(0, reason.length)).toBe(reason)
    expect(text.length).toBeLessThanOrEqual(200)
    expect(text).not.toContain(PASSWORD)
  })

  it('that says nothing keeps nobody waiting, and is tried again', async () => {
    await using it = await world(() => undefined)
    await expect(it.store.run(RENEW, [], ['1'])).rejects.toMatchObject({ name: 'StoreError' })
    expect(it.states).toEqual([{ isUp: false, reason: 'no answer in time' }])
    const again = it.store.run(RENEW, [], ['1'])
    await expect(again).rejects.toMatchObject({ failure: 'connection' })
  })

  it('that is slower than calls may wait is not used, and its late answers are nobody’s', async () => {
    // The credentials, the first script and every one after it: all but the last are waited for.
    await using it = await world((socket, question) => {
      if (question.includes('AUTH')) socket.write('+OK\r\n')
      else setTimeout(() => socket.write('*3\r\n:0\r\n:0\r\n$1\r\n0\r\n'), 150)
    })
    await waitUntil(() => it.states.length > 1, 'the store to be tried twice')
    expect(new Set(it.states.map(({ isUp, reason }) => `${isUp} ${reason}`))).toEqual(
      new Set(['false no answer in time']),
    )
  })

  it('that is closed while it connects lets go of the connection', async () => {
    await using it = await world(() => undefined)
    await waitUntil(() => it.sockets.size === 1, 'a connection')
    await it.store.close()
    await waitUntil(() => it.sockets.size === 0, 'no connection')
    expect(it.states).toEqual([])
  })
})
