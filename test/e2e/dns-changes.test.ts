/** The host name of a server leads to another address than before: 127.0.0.2 in place of 127.0.0.1. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { folderOf } from '../support/config.js'
import { spawnGatewayIn } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const ERAS = ['legacy', 'modern'] as const
const [OLD, NEW] = ['127.0.0.1', '127.0.0.2']

/** A server whose tool says which of two it is, once it is let. */
function startNamed(era: (typeof ERAS)[number], name: string) {
  const state = { isHeld: false, release: () => {} }
  const answer = async (): Promise<JsonObject> => {
    if (state.isHeld) await new Promise<void>((resolve) => (state.release = resolve))
    return { content: [{ type: 'text', text: `I am ${name}` }] }
  }
  const handlers = { 'tools/call': answer }
  const started = era === 'legacy' ? startEcho({ handlers }) : startModern({ handlers })
  return started.then((server) => Object.assign(server, { state }))
}

/** Two servers at two addresses with one port, and a gateway to a name that leads to the first. */
async function startWorld(era: (typeof ERAS)[number]) {
  const [first, second] = [await startNamed(era, 'old'), await startNamed(era, 'new')]
  const older = await TcpProxy.start(first.url, { host: OLD })
  const newer = await TcpProxy.start(second.url, { host: NEW, port: older.port })
  const folder = await folderOf({ names: JSON.stringify({ 'server.test': OLD }) })
  const file = join(folder.path, 'names')
  const url = `http://server.test:${older.port}/mcp`
  const health = { interval: '50ms', timeout: '2s' }
  const gateway = await spawnGatewayIn(
    { preload: 'names', env: { NAMES_FILE: file } },
    { targets: [{ name: 'a', mcp: { url }, health }] },
  )
  return {
    first,
    second,
    older,
    gateway,
    clients: [await openSession(gateway.url), new ModernClient(gateway.url)] as const,
    move: () => writeFile(file, JSON.stringify({ 'server.test': NEW })),
    [Symbol.asyncDispose]: async () => {
      for (const it of [gateway, newer, older, second, first, folder])
        await it[Symbol.asyncDispose]()
    },
  }
}

async function answerOf(client: RawSession | ModernClient): Promise<string> {
  const { json } = await client.call('a__echo')
  const { content } = (json['result'] ?? {}) as { content?: { text: string }[] }
  return content?.[0]?.text ?? JSON.stringify(json)
}

describe.each(ERAS)('a %s server whose name leads elsewhere', (era) => {
  it('is left without a word once nothing runs there, though it lives', async () => {
    await using it = await startWorld(era)
    for (const client of it.clients) expect(await answerOf(client)).toBe('I am old')
    it.first.state.isHeld = true
    const running = answerOf(it.clients[1])
    await waitUntil(() => it.first.asked('tools/call').length === 3, 'the call to arrive')
    it.first.state.isHeld = false
    await it.move()
    for (const client of it.clients) {
      await waitUntil(async () => {
        const answer = await answerOf(client)
        expect(answer).toMatch(/^I am (old|new)$/)
        return answer === 'I am new'
      }, 'the new address to be called')
    }
    it.first.state.release()
    expect(await running).toBe('I am old')
    await waitUntil(() => it.older.connections === 0, 'the last connection to the old one to end')
  })

  it('is found where it is when the old one breaks, within seconds', async () => {
    await using it = await startWorld(era)
    for (const client of it.clients) expect(await answerOf(client)).toBe('I am old')
    await it.move()
    it.older.cut()
    for (const client of it.clients) {
      await waitUntil(async () => (await answerOf(client)) === 'I am new', 'the new address')
    }
  })

  it('is found where it is when the old one falls silent', async () => {
    await using it = await startWorld(era)
    for (const client of it.clients) expect(await answerOf(client)).toBe('I am old')
    await it.move()
    it.older.silence()
    const isThere = () => it.second.asked('tools/list').length > 0
    await waitUntil(isThere, 'the new address to be asked')
    for (const client of it.clients) {
      await waitUntil(async () => (await answerOf(client)) === 'I am new', 'the new address')
    }
  })
})
