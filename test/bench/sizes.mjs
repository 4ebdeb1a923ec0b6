// Memory while results of growing size pass through, one at a time.
import { BARE, GATEWAY, startContenders } from './contenders.mjs'
import { load } from './load.mjs'
import { forgetPeak, mib, peakKib, residentKib } from './machine.mjs'
import { requestBytes } from './requests.mjs'

const MIB = 1024 * 1024
const SIZES = [100, MIB, 8 * MIB, 32 * MIB]

export async function measureSizes(backend, { seconds }) {
  const rows = []
  for (const name of [BARE, GATEWAY]) {
    for (const form of ['json', 'sse']) {
      const [contender] = await startContenders([name], backend)
      const place = await contender.place('legacy')
      for (const size of SIZES) {
        const tool = contender.toolName('legacy', `${form}_${size}`)
        const request = { era: 'legacy', id: 1, method: 'tools/call', params: { name: tool } }
        const requests = [{ id: 1, bytes: requestBytes(place, request) }]
        const before = residentKib(contender.pids())
        forgetPeak(contender.pids())
        await load(contender.port, requests, seconds)
        const peak = peakKib(contender.pids())
        rows.push({ form, size, contender: name, beforeMib: mib(before), peakMib: mib(peak) })
      }
      await contender.stop()
    }
  }
  return rows
}
