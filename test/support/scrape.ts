/** What a gateway with an admin listener tells Prometheus. */
import type { Gateway } from '../../src/gateway.js'
import { get } from './raw-client.js'

/** The value of one series, e.g. `mcp_junction_retries_total{target="a"}`; `undefined` where it is not told. */
export async function metricOf(
  { adminUrl }: Pick<Gateway, 'adminUrl'>,
  series: string,
): Promise<number | undefined> {
  const { text } = await get(`${adminUrl}/metrics`)
  const line = text.split('\n').find((it) => it.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.split(' ')[1])
}
