/**
 * Whatever order things happen in (calls, questions, answers, cancellations, lost connections, resumptions, a server's
 * death), every request gets exactly one answer, its own, and every message comes on one stream, once. The orders
 * are random but repeatable: a failure prints the seed and the shortest order that fails.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import type { RawSession, Stream } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import type { Extra, Upstream } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SEED = 20_251_125
const RUNS = 15
const ANY = z.record(z.string(), z.unknown())

/** One call, as its client, its server and the test see it. */
interface Call {
  readonly key: string
  readonly session: RawSession
  readonly requestId: number
  readonly streams: Stream[]
  isConnected: boolean
  isCancelled: boolean
  /** The server died while it ran. */
  isStruck: boolean
  /** What the server does next; set while the server works on it. */
  server: Extra | undefined
  finish: () => void
  progress: number
  /** Question → the answer that the server got. */
  readonly answers: Map<string, Promise<unknown>>
  readonly answered: Set<unknown>
}

type Action = readonly [kind: keyof typeof ACTIONS, which: number]

class World {
  readonly calls: Call[] = []
  readonly #byKey = new Map<string, Call>()
  readonly upstream: Upstream
  readonly gateway: RunningGateway
  readonly sessions: readonly RawSession[]
  #lastRequestId = 1_000

  private constructor(upstream: Upstream, gateway: RunningGateway, sessions: RawSession[]) {
    this.upstream = upstream
    this.gateway = gateway
    this.sessions = sessions
  }

  static async start(): Promise<World> {
    const work = async ({ arguments: given }: JsonObject, extra: Extra): Promise<JsonObject> => {
      const key = String((given as JsonObject)['key'])
      const call = world.#byKey.get(key)
      if (call === undefined) throw new Error('a call that nobody made')
      await new Promise<void>((resolve) => {
        call.finish = resolve
        call.server = extra
        extra.signal.addEventListener('abort', () => resolve())
      })
      return { content: [{ type: 'text', text: key }] }
    }
    const upstream = await startEcho({ events: { retryMs: 5 }, handlers: { 'tools/call': work } })
    const gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      federation: { attribution: false },
    })
    const open = () => openSession(gateway.url, undefined, { elicitation: {} })
    const world = new World(upstream, gateway, [await open(), await open()])
    return world
  }

  async begin(which: number): Promise<void> {
    const session = this.sessions[which % this.sessions.length]
    if (session === undefined) return
    const key = `call ${this.calls.length}`
    const requestId = ++this.#lastRequestId
    const call: Call = {
      key,
      session,
      requestId,
      streams: [],
      isConnected: true,
      isCancelled: false,
      isStruck: false,
      server: undefined,
      finish: () => undefined,
      progress: 0,
      answers: new Map(),
      answered: new Set(),
    }
    this.calls.push(call)
    this.#byKey.set(key, call)
    const params = { name: 'a__echo', arguments: { key }, _meta: { progressToken: key } }
    void session.beginAs(requestId, 'tools/call', params).then(
      (stream) => call.streams.push(stream),
      () => undefined,
    )
    await waitUntil(() => call.server !== undefined, `${key} to reach the server`)
  }

  async close(): Promise<void> {
    for (const { streams } of this.calls) for (const stream of streams) stream.close()
    await this.gateway.close()
    await this.upstream[Symbol.asyncDispose]()
  }
}

const messagesOf = ({ streams }: Call): JsonObject[] => streams.flatMap((it) => [...it.messages])
const answersOf = (call: Call): JsonObject[] =>
  messagesOf(call).filter((it) => it['method'] === undefined)
const questionsOf = (call: Call): JsonObject[] =>
  messagesOf(call).filter((it) => it['method'] === 'elicitation/create')
const lastEventId = ({ streams }: Call): string | undefined =>
  streams.flatMap((it) => [...it.ids]).at(-1)
const isRunning = (call: Call): boolean =>
  !call.isCancelled && !call.isStruck && answersOf(call).length === 0 && !finished.has(call)
const finished = new WeakSet<Call>()

/** A call in this state, chosen by number. */
function choose(world: World, which: number, wanted: (call: Call) => boolean): Call | undefined {
  const calls = world.calls.filter(wanted)
  return calls[which % calls.length]
}

const ACTIONS = {
  call: (world: World, which: number) => world.begin(which),

  progress: async (world: World, which: number) => {
    const call = choose(world, which, isRunning)
    await call?.server?.sendNotification({
      method: 'notifications/progress',
      params: {
        progressToken: call.server._meta?.progressToken ?? 0,
        progress: ++call.progress,
      },
    })
  },

  ask: async (world: World, which: number) => {
    const call = choose(world, which, isRunning)
    if (call?.server === undefined) return
    const message = `${call.key}, question ${call.answers.size}`
    const params = { message, requestedSchema: { type: 'object', properties: {} } } as const
    const answer = call.server.sendRequest({ method: 'elicitation/create', params }, ANY)
    call.answers.set(
      message,
      answer.catch((error: unknown) => error),
    )
  },

  answer: async (world: World, which: number) => {
    const open = (call: Call): JsonObject | undefined =>
      questionsOf(call).find((it) => !call.answered.has(it['id']))
    const call = choose(world, which, (it) => isRunning(it) && open(it) !== undefined)
    const question = call && open(call)
    if (call === undefined || question === undefined) return
    call.answered.add(question['id'])
    const { message = null } = question['params'] as JsonObject
    await call.session.answer(question['id'] ?? null, { action: 'accept', content: { message } })
  },

  finish: async (world: World, which: number) => {
    const call = choose(world, which, isRunning)
    if (call === undefined) return
    finished.add(call)
    call.finish()
  },

  cancel: async (world: World, which: number) => {
    const call = choose(world, which, isRunning)
    if (call === undefined) return
    call.isCancelled = true
    await call.session.notify('notifications/cancelled', { requestId: call.requestId })
  },

  disconnect: async (world: World, which: number) => {
    const call = choose(world, which, (it) => it.isConnected && lastEventId(it) !== undefined)
    if (call === undefined) return
    call.isConnected = false
    for (const stream of call.streams) stream.close()
  },

  resume: async (world: World, which: number) => {
    const call = choose(world, which, (it) => !it.isConnected)
    if (call === undefined) return
    call.isConnected = true
    call.streams.push(await call.session.listen(lastEventId(call)))
  },

  restart: async (world: World) => {
    for (const call of world.calls) if (answersOf(call).length === 0) call.isStruck = true
    await world.upstream.kill()
    await world.upstream.start()
    const ready = () => world.gateway.readiness().targets.every((it) => it.ready)
    await waitUntil(ready, 'the server to be back')
  },
} as const

const actions = fc.array(
  fc.tuple(
    fc.oneof(
      ...Object.entries({
        call: 5,
        progress: 6,
        ask: 5,
        answer: 6,
        finish: 3,
        cancel: 1,
        disconnect: 3,
        resume: 3,
        restart: 1,
      }).map(([kind, weight]) => ({
        weight,
        arbitrary: fc.constant(kind as keyof typeof ACTIONS),
      })),
    ),
    fc.nat(1_000),
  ),
  { minLength: 5, maxLength: 40 },
)

// oxlint-disable-next-line vitest/expect-expect -- the property expects
it(
  'answers every request once, whatever happens meanwhile [R53][R54][R63]',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (order: readonly Action[]) => {
        const world = await World.start()
        try {
          for (const [kind, which] of order) await ACTIONS[kind](world, which)
          await settle(world)
          const faults = await Promise.all(world.calls.map(faultsOf))
          expect(faults.flat()).toEqual([])
        } finally {
          await world.close()
        }
      }),
      { seed: SEED, numRuns: RUNS },
    )
  },
)

/** Lets everything end that can. */
async function settle(world: World): Promise<void> {
  for (const call of world.calls) {
    if (!call.isConnected) await ACTIONS.resume(world, 0)
    call.finish()
  }
  for (const call of world.calls) {
    const done = () => call.isCancelled || answersOf(call).length > 0
    await waitUntil(done, `${call.key} to be answered`)
  }
  // What would come twice would come before the answer to this.
  for (const session of world.sessions) await session.request('ping')
}

/** What a call was told that it should not have been, or not told. */
async function faultsOf(call: Call): Promise<readonly string[]> {
  const { key, isCancelled, isStruck } = call
  const faults: string[] = []
  const must = (holds: boolean, what: string): void =>
    void (holds || faults.push(`${key}: ${what}`))

  const answers = answersOf(call)
  const [answer] = answers
  const { content } = (answer?.['result'] ?? {}) as { content?: { text: string }[] }
  must(answers.length === 1 || (isCancelled && answers.length === 0), `${answers.length} answers`)
  must(answer === undefined || answer['id'] === call.requestId, 'an answer under another id')
  must(content === undefined || content[0]?.text === key, "another call's answer")
  must(content !== undefined || isCancelled || isStruck, 'an error without a cause')

  const progress = messagesOf(call)
    .filter((it) => it['method'] === 'notifications/progress')
    .map((it) => it['params'] as { progressToken: string; progress: number })
  const isOurs = progress.every(({ progressToken }) => progressToken === key)
  const isInOrder = progress.every((it, index) => it.progress === index + 1)
  must(isOurs, "another call's progress")
  must(isInOrder, 'progress lost, repeated or out of order')
  must(progress.length === call.progress || isCancelled || isStruck, 'progress missing')

  const questions = questionsOf(call).map((it) => (it['params'] as JsonObject)['message'])
  must(new Set(questions).size === questions.length, 'a question twice')
  for (const it of questions) must(call.answers.has(String(it)), "another call's question")
  for (const [message, pending] of call.answers) {
    const got = await Promise.race([pending, Promise.resolve(undefined)])
    const { content: given } = (got ?? {}) as { content?: JsonObject }
    must(given === undefined || given['message'] === message, "another question's answer")
  }
  return faults
}
