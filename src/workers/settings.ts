/** The section `workers`: how many processes serve one port. */
import { availableParallelism } from 'node:os'
import { z } from 'zod'

const MOST = 256

// A string too, because that is what `${WORKERS}` gives.
export const workersSchema = z
  .union([z.int(), z.string()])
  .transform((count) => {
    if (count === 'auto') return count
    return typeof count === 'string' && !/^\d{1,3}$/.test(count) ? NaN : Number(count)
  })
  .refine(
    (count) => count === 'auto' || (count >= 1 && count <= MOST),
    `expected a number from 1 to ${MOST}, or "auto"`,
  )
  .meta({ title: 'number or `auto`' })
  .prefault(1)
  .describe(
    'Processes that serve the port together, any of them any request; `auto` for one per core. One that dies is replaced. Child processes run once per worker (`docs/reliability.md`, Workers).',
  )

export type WorkersSetting = z.output<typeof workersSchema>

export function workerCount(setting: WorkersSetting): number {
  return setting === 'auto' ? Math.min(availableParallelism(), MOST) : setting
}
