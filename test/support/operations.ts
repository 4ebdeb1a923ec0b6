/** Records of operations, made from the fewest words. */
import type { Operation } from '../../src/telemetry/operations.js'

export function operation(given: Partial<Operation> = {}): Operation {
  return {
    at: Date.now(),
    durationMs: 12,
    upstreamMs: 10,
    method: 'tools/call',
    name: 'a__echo',
    isKnownName: true,
    target: 'a',
    outcome: 'ok',
    errorType: '',
    era: 'legacy',
    protocolVersion: '2025-11-25',
    session: 'f00',
    principal: { id: 'anonymous', kind: 'anonymous', name: 'anonymous' },
    client: { name: 'agent', version: '1' },
    address: '127.0.0.1',
    bytesIn: 100,
    bytesOut: 200,
    traceId: '',
    spanId: '',
    attributes: {},
    ...given,
  }
}
