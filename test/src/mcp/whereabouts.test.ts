/** What processes that serve a session say at its home, what is remembered of it there, and for how long. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NOBODY } from '../../../src/auth/principal.js'
import type { PeerRequest } from '../../../src/peers/peers.js'
import { Whereabouts } from '../../../src/mcp/whereabouts.js'
import type { VirtualServer } from '../../../federation/index.js'
import { Session } from '../../../src/session/session.js'
import { SessionStore } from '../../../src/session/session-store.js'

const HOME = '127.0.0.1:1'
const REQUEST: PeerRequest = {
  method: 'POST',
  name: '',
  headers: {},
  body: undefined,
  principal: NOBODY,
  origin: { address: '', isEncrypted: false },
}

function startHome() {
  const keys = [randomBytes(32)]
  const ages = { idleTimeoutMs: 3_600_000, maxAgeMs: 3_600_000 }
  const settings = { ...ages, max: 10_000, keys, peers: { port: 0 } }
  const events = { onReleased: () => undefined }
  const sessions = new SessionStore(settings, keys, HOME, events)
  const told: string[] = []
  const whereabouts = new Whereabouts({
    peers: { place: HOME, ask: () => Promise.reject(new Error('nobody is asked from home')) },
    sessions,
    tell: (place) => told.push(place),
  })
  const open = () =>
    sessions.create({
      protocolVersion: '2025-11-25',
      server: '',
      principal: 'p',
      client: { name: 'c', version: '1' },
      capabilities: {},
      promised: [],
    })
  /** Another process says that it serves a session; gives what it reads. */
  const say = (place: string, token: string, principal = 'p'): unknown => {
    const word = { place, sessions: [{ token, server: '', principal }] }
    return (JSON.parse(whereabouts.hear(Buffer.from(JSON.stringify(word)))) as unknown[])[0]
  }
  const tell = (session: Session, toldBy?: string): string[] => {
    whereabouts.tell(session, REQUEST, toldBy)
    return told.splice(0)
  }
  return { sessions, whereabouts, open, say, tell, close: () => sessions.close() }
}

/** A process that serves sessions which have their home elsewhere. What it says there is answered with `missed`. */
function startAway(missed: () => unknown) {
  const store = startHome()
  const said: { readonly home: string; readonly tokens: readonly string[] }[] = []
  const whereabouts = new Whereabouts({
    peers: {
      place: 'away:1',
      ask: (home, { body }) => {
        const word = JSON.parse(String(body)) as { sessions: { token: string }[] }
        said.push({ home, tokens: word.sessions.map(({ token }) => token) })
        const text = JSON.stringify(word.sessions.map(missed))
        return Promise.resolve(
          Object.assign(Readable.from([text]), { statusCode: 200 }) as unknown as IncomingMessage,
        )
      },
    },
    sessions: store.sessions,
    tell: () => undefined,
  })
  const levels: unknown[] = []
  const server = {
    with: () => server,
    setLogLevel: ({ logLevel }: { logLevel: unknown }) => levels.push(logLevel),
  } as unknown as VirtualServer
  const open = (): Session => {
    const { session, token } = store.open()
    const same = new Session({ ...session.seed, home: HOME })
    same.token = token
    return same
  }
  const serve = (session: Session): void => whereabouts.serve(session, server)
  return { said, levels, open, serve, close: () => (whereabouts.close(), store.close()) }
}

describe('whoever serves a session', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setInterval'] }))
  afterEach(() => void vi.useRealTimers())

  it('says so soon, again a minute later while it does, and no more when it does not', () => {
    const it = startAway(() => ({ cancelled: [] }))
    const [used, unused, running] = [it.open(), it.open(), it.open()]
    running.begin(1)
    for (const session of [used, unused, running]) it.serve(session)
    vi.advanceTimersByTime(499)
    expect(it.said).toEqual([])
    vi.advanceTimersByTime(1)
    expect(it.said).toEqual([{ home: HOME, tokens: [used.token, unused.token, running.token] }])
    vi.advanceTimersByTime(30_000)
    used.touch()
    it.serve(used)
    vi.advanceTimersByTime(29_999)
    expect(it.said).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(it.said.slice(1)).toEqual([{ home: HOME, tokens: [used.token, running.token] }])
    running.finish(1)
    running.close()
    vi.advanceTimersByTime(300_000)
    expect(it.said).toHaveLength(2)
    it.serve(used)
    vi.advanceTimersByTime(500)
    expect(it.said).toHaveLength(3)
    it.close()
  })

  it('says many at once, a hundred in a message', () => {
    const it = startAway(() => ({ cancelled: [] }))
    for (let count = 0; count < 250; count++) it.serve(it.open())
    vi.advanceTimersByTime(500)
    expect(it.said.map(({ tokens }) => tokens.length)).toEqual([100, 100, 50])
    it.close()
  })

  it('does what it has missed: cancels, and takes the level where it has none', async () => {
    const it = startAway(() => ({ cancelled: [7, 'x'], logLevel: 'error' }))
    const [session, other] = [it.open(), it.open()]
    other.caller.logLevel = 'debug'
    const [late, running] = [session.begin(7), session.begin(8)]
    for (const each of [session, other]) it.serve(each)
    vi.advanceTimersByTime(500)
    await vi.waitFor(() => expect(it.levels).toEqual(['error']))
    expect(late?.isCancelled).toBe(true)
    expect(running?.isCancelled).toBe(false)
    expect(session.caller.logLevel).toBe('error')
    expect(other.caller.logLevel).toBe('debug')
    it.close()
  })
})

describe('who serves a session', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  it('is told what holds for all of it, but for whoever told that', () => {
    const it = startHome()
    const { session, token } = it.open()
    expect(it.tell(session)).toEqual([])
    it.say('a:1', token)
    it.say('b:1', token)
    expect(it.tell(session)).toEqual(['a:1', 'b:1'])
    expect(it.tell(session, 'a:1')).toEqual(['b:1'])
    expect(it.tell(it.open().session)).toEqual([])
    it.close()
  })

  it('is forgotten after three minutes in which it has not said so again', () => {
    const it = startHome()
    const { session, token } = it.open()
    it.say('a:1', token)
    vi.advanceTimersByTime(120_000)
    it.say('b:1', token)
    vi.advanceTimersByTime(61_000)
    expect(it.tell(session)).toEqual(['b:1'])
    it.close()
  })

  it('is one of 64 at most', () => {
    const it = startHome()
    const { session, token } = it.open()
    for (let port = 1; port <= 70; port++) it.say(`a:${port}`, token)
    it.say('a:7', token)
    const told = it.tell(session)
    expect(told).toHaveLength(64)
    expect(told.at(0)).toBe('a:8')
    expect(told.at(-1)).toBe('a:7')
    it.close()
  })

  it('hears that it has ended, and nothing else of what it may not know', () => {
    const it = startHome()
    const { session, token } = it.open()
    expect(it.say('a:1', token, 'another')).toBeNull()
    expect(it.say('a:1', `${token}x`)).toBeNull()
    expect(it.say('a:1', token)).toEqual({ cancelled: [] })
    it.sessions.end(token, session)
    expect(it.say('a:1', token)).toBeNull()
    it.close()
  })
})

describe('what was cancelled before its process said so', () => {
  it('is the last 16 of a session, and no long ids', () => {
    const it = startHome()
    const { session, token } = it.open()
    for (let id = 1; id <= 20; id++) it.whereabouts.cancelled(session, id)
    it.whereabouts.cancelled(session, 'x'.repeat(257))
    it.whereabouts.cancelled(session, { no: 'id' })
    it.whereabouts.cancelled(session, 'last')
    const cancelled = [...Array.from({ length: 15 }, (_, index) => index + 6), 'last']
    expect(it.say('a:1', token)).toEqual({ cancelled })
    it.close()
  })

  it('is kept of 1,000 sessions', () => {
    const it = startHome()
    const opened = Array.from({ length: 1_001 }, () => it.open())
    for (const { session } of opened) it.whereabouts.cancelled(session, 1)
    const [first, second] = opened.map(({ token }) => it.say('a:1', token))
    expect(first).toEqual({ cancelled: [] })
    expect(second).toEqual({ cancelled: [1] })
    it.close()
  })
})

it('the level of a session is said to whoever comes to serve it', () => {
  const it = startHome()
  const { session, token } = it.open()
  session.caller.logLevel = 'error'
  expect(it.say('a:1', token)).toEqual({ logLevel: 'error', cancelled: [] })
  it.close()
})
