/** What the page shows of a gateway with workers: reports and events of all of them, as one gateway's. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TalliedReport, Tallies } from '../admin/traffic.js'
import type { Answering } from './ask-workers.js'
import { askAll, askFirst, PATIENCE_MS, sayNobody } from './ask-workers.js'
import { MergedEvents } from './merged-events.js'
import { isTallied, mergedReport } from './merged-reports.js'
import { carried, sendAnswer } from '../http/carried.js'
import { readRequest } from './relayed-http.js'

/** Of the workers, those come first that have been there the longest; `wanted` is how many there should be. */
export interface ReportOf {
  readonly wanted: number
  readonly workers: readonly Answering[]
}

/** What all say, as one. */
export async function answerReport(
  report: string,
  { wanted, workers }: ReportOf,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = await readRequest(incoming)
  const answers = await askAll(workers, { ...request, method: 'GET' })
  const refused = answers.find((it) => it.status !== 200)
  if (refused !== undefined) {
    outgoing.writeHead(refused.status, carried(refused.headers)).end(refused.body)
    return
  }
  // Whoever asks has been let in by each of them.
  const tallies = isTallied(report) ? await talliesOf(report, workers) : []
  const [first, ...others] = answers.map(({ worker, body }) => ({
    worker,
    what: JSON.parse(body) as Readonly<Record<string, unknown>>,
  }))
  const isMissing = isTallied(report) && tallies.length === 0
  if (first === undefined || isMissing) return sayNobody(outgoing)
  const merged = mergedReport(report, { said: [first, ...others], tallies, wanted })
  outgoing.writeHead(200, carried(answers[0]?.headers ?? {})).end(JSON.stringify(merged))
}

async function talliesOf(
  report: TalliedReport,
  workers: readonly Answering[],
): Promise<readonly Tallies[]> {
  const now = Date.now()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const outcomes = await Promise.allSettled(
    workers.map(({ asked }) => asked.tallies(report, now, signal)),
  )
  return outcomes.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
}

/** What happens at all of them, for as long as somebody watches. */
export async function watchAll(
  ready: () => readonly Answering[],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const found = await askFirst(ready(), incoming, outgoing)
  if (found === undefined) return
  const { first, request, answer, left } = found
  if (answer.status !== 200) return sendAnswer(outgoing, answer, {})
  new MergedEvents(ready, request, outgoing, left).start(first, answer)
}
