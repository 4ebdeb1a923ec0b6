/**
 * Clients of both SDK lines that call at a steady pace, whatever becomes of earlier calls, each call with a mark of its own
 * that its answer must hold.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectV1, connectV2 } from './sdk-clients.js'

export interface Outcome {
  readonly mark: string
  readonly tool: string
  /** As `performance.now`. */
  readonly begunAt: number
  readonly endedAt: number
  /** Absent where the answer came and was the call's own. */
  readonly failure?: string
}

export interface Load extends AsyncDisposable {
  readonly outcomes: readonly Outcome[]
  /** Begins no more calls, and waits for the last. */
  stop(): Promise<void>
  /** One call of each client with each tool. */
  onceEach(): Promise<readonly Outcome[]>
}

interface Client extends AsyncDisposable {
  callTool(params: { name: string; arguments: { message: string } }): Promise<object>
}

/** `tools` give back their argument `message`. The clients are spread over the addresses. */
export async function startLoad(
  urls: readonly string[],
  tools: readonly string[],
  { clients, callsPerSecond }: { readonly clients: number; readonly callsPerSecond: number },
): Promise<Load> {
  const connected: readonly Client[] = await Promise.all(
    Array.from({ length: clients }, (_, index) => {
      const url = urls[Math.floor(index / 2) % urls.length] ?? ''
      return index % 2 === 0 ? connectV1(url) : connectV2(url)
    }),
  )
  const outcomes: Outcome[] = []
  const running = new Set<Promise<Outcome>>()
  let lastMark = 0
  const call = async (client: Client, tool: string): Promise<Outcome> => {
    const mark = `mark-${++lastMark}.`
    const begunAt = performance.now()
    const failure = await client.callTool({ name: tool, arguments: { message: mark } }).then(
      (result) => (JSON.stringify(result).includes(mark) ? undefined : JSON.stringify(result)),
      (error: unknown) => String(error),
    )
    const endedAt = performance.now()
    return { mark, tool, begunAt, endedAt, ...(failure === undefined ? {} : { failure }) }
  }
  const stopping = new AbortController()
  const pace = async (): Promise<void> => {
    const startedAt = performance.now()
    for (let count = 0; !stopping.signal.aborted; count++) {
      const client = connected[count % clients]
      // Neighbours in time differ in client and tool, and in the end each client has used each tool.
      const tool = tools[Math.floor(count / clients) % tools.length]
      if (client === undefined || tool === undefined) throw new TypeError('there are some of each')
      const work = call(client, tool)
      running.add(work)
      void work.then((outcome) => {
        outcomes.push(outcome)
        running.delete(work)
      })
      const dueAt = startedAt + ((count + 1) * 1_000) / callsPerSecond
      await sleep(Math.max(0, dueAt - performance.now()))
    }
  }
  const paced = pace()
  return {
    outcomes,
    stop: async () => {
      stopping.abort()
      await paced
      await Promise.all(running)
    },
    onceEach: () =>
      Promise.all(connected.flatMap((client) => tools.map((tool) => call(client, tool)))),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await paced
      await Promise.all(connected.map((it) => it[Symbol.asyncDispose]()))
    },
  }
}
