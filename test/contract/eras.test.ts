import { describeContract } from './contract.js'
import { MODERN } from './link.js'

const LEGACY = '2025-11-25'

for (const transport of ['json', 'sse', 'stdio']) {
  describeContract({ client: MODERN, server: MODERN, transport })
  describeContract({ client: LEGACY, server: MODERN, transport })
}
for (const transport of ['json', 'sse', 'http+sse', 'stdio']) {
  describeContract({ client: MODERN, server: LEGACY, transport })
}
