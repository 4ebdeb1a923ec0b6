/** Records of operations, made from the fewest words. */
import type { Matter, Party } from '../../src/telemetry/operation-kind.js'
import { operationKind } from '../../src/telemetry/operation-kind.js'
import type { Operation } from '../../src/telemetry/operations.js'

type Given = Partial<Party & Matter & Pick<Operation, 'at' | 'durationMs' | 'upstreamMs'>>

export function operation(given: Given = {}): Operation {
  const whole = {
    era: 'legacy' as const,
    protocolVersion: '2025-11-25',
    principal: { id: 'anonymous', kind: 'anonymous', name: 'anonymous' },
    client: { name: 'agent', version: '1' },
    address: '127.0.0.1',
    method: 'tools/call',
    name: 'a__echo',
    isKnownName: true,
    target: 'a',
    variant: '',
    outcome: 'ok' as const,
    errorType: '',
    ...given,
  }
  const { at = Date.now(), durationMs = 12, upstreamMs = 10 } = given
  return {
    kind: operationKind(whole, whole),
    at,
    durationMs,
    upstreamMs,
    upstream: undefined,
    session: 'f00',
    bytesIn: 100,
    bytesOut: 200,
    traceId: '',
    spanId: '',
    attributes: {},
  }
}

/** Traffic as it might have been: two agents, two tools, some of it wrong, and slower in the middle. */
export function anHour(): Operation[] {
  const now = Date.now()
  const agents = [
    { name: 'claude-code', version: '2.1' },
    { name: 'cursor', version: '3.0' },
  ]
  return Array.from({ length: 900 }, (_, index) => {
    const wave = 1 + Math.sin(index / 60)
    const upstreamMs = 20 + 60 * wave + (index % 17)
    const isDenied = index % 41 === 0
    const isFailed = index % 29 === 0
    const tool = index % 3 === 0 ? 'greet' : 'search'
    return operation({
      at: now - (900 - index) * 4_000,
      name: `greeter__${tool}`,
      variant: '',
      target: 'greeter',
      client: agents[index % 2] ?? { name: '', version: '' },
      principal: { id: 'jwt:x', kind: 'jwt', name: index % 2 === 0 ? 'ada@example.com' : 'ci' },
      outcome: isDenied ? 'denied' : isFailed ? 'failed' : 'ok',
      errorType: isFailed ? 'tool_error' : '',
      upstreamMs,
      durationMs: upstreamMs + 0.5 + (index % 5) / 5,
    })
  })
}
