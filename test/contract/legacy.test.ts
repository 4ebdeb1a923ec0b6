import { describeContract } from './contract.js'
import { OLDEST } from './link.js'

for (const revision of [OLDEST, '2025-03-26', '2025-06-18', '2025-11-25']) {
  for (const transport of ['json', 'sse', 'http+sse', 'stdio']) {
    describeContract({ client: revision, server: revision, transport })
  }
}
