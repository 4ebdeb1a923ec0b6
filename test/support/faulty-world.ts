/** A real server behind a wire on which faults are laid, a gateway to it, clients of both eras, and what is done to all of it. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { Folder } from './config.js'
import { folderOf } from './config.js'
import type { Fault, Place } from './faulty-wire.js'
import { FaultyWire } from './faulty-wire.js'
import { startGateway } from './gateway.js'
import type { ListeningProcess } from './listening-process.js'
import { startListening } from './listening-process.js'
import { ModernClient } from './modern-client.js'
import { openSession } from './raw-client.js'
import { startEcho } from './upstream-server.js'
import { waitUntil } from './wait-until.js'

export type Era = 'legacy' | 'modern'
export type Framing = 'json' | 'sse'

/** A server of the SDK as a process of its own, which says what it runs. */
function startProcess(era: Era, framing: Framing, folder: Folder): Promise<ListeningProcess> {
  const program = fileURLToPath(new URL(`../contract/${era}-server.mjs`, import.meta.url))
  const added = join(folder.path, 'added.json')
  return startListening(program, framing, ...(era === 'legacy' ? ['2025-11-25'] : []), added)
}

export class World implements AsyncDisposable {
  readonly era: Era
  readonly wire: FaultyWire
  readonly #framing: Framing
  readonly #folder: Folder
  /** Every process that there was, the last of which is the server now. */
  readonly #servers: ListeningProcess[]
  #marks = 0

  private constructor(
    era: Era,
    framing: Framing,
    folder: Folder,
    server: ListeningProcess,
    wire: FaultyWire,
  ) {
    this.era = era
    this.wire = wire
    this.#framing = framing
    this.#folder = folder
    this.#servers = [server]
  }

  static async start(era: Era, framing: Framing = 'json'): Promise<World> {
    const folder = await folderOf({})
    const server = await startProcess(era, framing, folder)
    return new World(era, framing, folder, server, await FaultyWire.start(server.url))
  }

  get server(): ListeningProcess {
    const server = this.#servers.at(-1)
    if (server === undefined) throw new TypeError('there is one from the start')
    return server
  }

  /** Tells one call from all others. */
  mark(): string {
    return `mark-${++this.#marks}.`
  }

  /** How often a call ran, in whichever process. */
  runs(mark: string): number {
    const lines = this.#servers.flatMap((it) => it.lines)
    return lines.filter((it) => it === `ran ${mark}`).length
  }

  async restart(): Promise<void> {
    this.#servers.push(await startProcess(this.era, this.#framing, this.#folder))
    await this.wire.open(this.server.url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wire[Symbol.asyncDispose]()
    for (const it of this.#servers) await it.kill()
    await this.#folder[Symbol.asyncDispose]()
  }
}

/** `answer`, or what a client reads in place of one. */
export function outcomeOf({ error, result }: JsonObject): string {
  if (error === undefined) return (result as JsonObject)['isError'] === true ? 'isError' : 'answer'
  const { code, data } = error as { code: number; data?: { reason?: string } }
  return data?.reason ?? String(code)
}

export interface Clients extends AsyncDisposable {
  /** One call of each client: what each reads. None runs twice. */
  call(): Promise<readonly string[]>
  /** Adds a tool `added` to the server's. */
  add(): Promise<void>
  /** The names of tools, as each client reads them. */
  lists(): Promise<readonly string[]>
  /** Other servers, and the sessions of clients, are as they were. */
  othersWork(): Promise<void>
  /** The server is back, without a request of anybody's but the gateway's own. */
  isBack(): Promise<void>
}

/** Clients of both eras, at a gateway to that server and to another one that nothing happens to. */
export async function startClients(world: World, callTimeout = '15s'): Promise<Clients> {
  const other = await startEcho()
  const options = {
    health: { interval: '100ms', timeout: '1s' },
    timeouts: { connect: '1s', open: '2s', list: '2s', call: callTimeout },
    // What breaks with one call must not hide what becomes of the next.
    circuitBreaker: { consecutiveFailures: 0 },
  }
  const gateway = await startGateway({
    targets: [
      { name: 'a', mcp: { url: world.wire.url }, ...options },
      { name: 'other', mcp: { url: other.url } },
    ],
  })
  const legacy = await openSession(gateway.url)
  const clients = [legacy, new ModernClient(gateway.url)] as const
  return {
    call: () =>
      Promise.all(
        clients.map(async (client) => {
          const mark = world.mark()
          const { json } = await client.call('a__plain', { a: mark })
          const outcome = outcomeOf(json)
          if (outcome === 'answer') expect(JSON.stringify(json)).toContain(`plain ${mark}`)
          expect(world.runs(mark)).toBeLessThanOrEqual(1)
          return outcome
        }),
      ),
    add: async () => {
      const { json } = await legacy.call('a__add', { name: 'added' })
      expect(outcomeOf(json)).toBe('answer')
    },
    lists: () => Promise.all(clients.map(async (it) => (await it.request('tools/list')).text)),
    othersWork: async () => {
      for (const client of clients) {
        expect(outcomeOf((await client.call('other__echo')).json)).toBe('answer')
      }
    },
    isBack: async () => {
      const question = world.era === 'legacy' ? 'ping' : 'server/discover'
      const before = world.wire.asked(question)
      const isFine = () => {
        const [state] = gateway.readiness().targets
        // The second is asked when the first has been answered, or not.
        return state?.ready === true && world.wire.asked(question) >= before + 2
      }
      await waitUntil(isFine, 'the server to be back')
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await other[Symbol.asyncDispose]()
    },
  }
}

/** What is done to the wire or to the server; `end` ends it. */
export interface Doing {
  readonly begin: (world: World) => void | Promise<void>
  readonly end: (world: World) => void | Promise<void>
}

/** `kill -9`; another process takes its place in the end. */
export const kill: Doing = {
  begin: async ({ server, wire }) => {
    await server.kill()
    await wire.shut()
  },
  end: (world) => world.restart(),
}

export const freeze: Doing = {
  begin: ({ server }) => server.freeze(),
  end: ({ server }) => server.thaw(),
}

export const shut: Doing = {
  begin: ({ wire }) => wire.shut(),
  end: ({ wire }) => wire.open(),
}

export const laid = (fault: Fault, place?: Place): Doing => ({
  begin: ({ wire }) => wire.lay(fault, place),
  end: ({ wire }) => wire.heal(),
})

/** What happens to all connections that are open, and to no later ones. */
export const broken = (how: 'reset' | 'silence'): Doing => ({
  begin: ({ wire }) => wire.breakAll(how),
  end: () => undefined,
})

/** Done to the server at the moment that so much of an answer has come; the rest comes in the end, if it can. */
export function meanwhile({ begin, end }: Doing, place: Place): Doing {
  const releases: (() => void)[] = []
  let state: 'before' | 'during' | 'after' = 'before'
  const hold: Fault = (near, rest) => {
    let held: Buffer[] | undefined = [rest]
    const release = (): void => {
      for (const chunk of held?.splice(0) ?? []) near.write(chunk)
      held = undefined
    }
    if (state === 'after') release()
    else releases.push(release)
    return (more) => {
      if (held === undefined) near.write(more)
      else held.push(more)
    }
  }
  return {
    begin: (world) =>
      world.wire.lay((near, rest) => {
        if (state === 'before') {
          state = 'during'
          void begin(world)
        }
        return hold(near, rest)
      }, place),
    end: async (world) => {
      state = 'after'
      world.wire.heal()
      await end(world)
      for (const release of releases) release()
    },
  }
}
