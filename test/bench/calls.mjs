// tools/call: every contender, results of several sizes and forms, both eras, few and many connections.
import {
  BARE,
  DIRECT,
  GATEWAY,
  GUARDED,
  NGINX,
  SILENT,
  startContenders,
  WORKERS,
} from './contenders.mjs'
import { inTurns } from './measure.mjs'
import { requestBytes } from './requests.mjs'

const KIB = 1024
const MIB = KIB * KIB
const ALL = [DIRECT, NGINX, BARE, GATEWAY, SILENT, GUARDED, WORKERS]

/** The rows that musts speak of. */
const FEW = [
  ...['legacy', 'modern'].map((era) => ({ era, form: 'json', size: 100, connections: 32 })),
  { era: 'legacy', form: 'json', size: 100, connections: 1 },
  { era: 'legacy', form: 'json', size: MIB, connections: 32 },
  { era: 'legacy', form: 'sse', size: MIB, connections: 32 },
]

const EVERY = ['legacy', 'modern'].flatMap((era) =>
  ['json', 'sse'].flatMap((form) =>
    [100, 64 * KIB, MIB].flatMap((size) =>
      [1, 32, 256].map((connections) => ({ era, form, size, connections })),
    ),
  ),
)

/** Returns a row for each contender and kind of call. */
export async function measureCalls(backend, { extent, rounds, seconds }) {
  const works = { guard: FEW.filter((it) => it.connections > 1), short: FEW, all: EVERY }[extent]
  const names = extent === 'guard' ? [BARE, GATEWAY, GUARDED] : ALL
  const contenders = await startContenders(names, backend)
  const rows = []
  for (const work of works) {
    const isSmall = work.size === 100
    const takingPart = contenders.filter(({ name }) => isSmall || !ONLY_SMALL.has(name))
    const subjects = await Promise.all(takingPart.map((it) => subject(it, work)))
    const results = await inTurns(subjects, { rounds, seconds })
    for (const [contender, figures] of results) rows.push({ ...work, contender, ...figures })
  }
  for (const it of contenders) await it.stop()
  return rows
}

/** What these add does not depend on the size. */
const ONLY_SMALL = new Set([SILENT, GUARDED, WORKERS])

async function subject(contender, { era, form, size, connections }) {
  const place = await contender.place(era)
  const name = contender.toolName(era, `${form}_${size}`)
  const params = { name, arguments: { message: 'hello' } }
  const requests = Array.from({ length: connections }, (_, id) => ({
    id,
    bytes: requestBytes(place, { era, id, method: 'tools/call', params }),
  }))
  return { name: contender.name, contender, port: contender.port, requests }
}
