/** Makes the terms on which each request is served: who asks, what they may do, and how often. */
import type { Insight } from '../admin/insight.js'
import type { Access } from '../auth/access.js'
import type { Asker, Policy } from '../auth/policy.js'
import type { Principal } from '../auth/principal.js'
import { subjectOf } from '../auth/subject.js'
import type { Addresses } from '../http/addresses.js'
import type { Admission } from '../limits/admission.js'
import type { Entry, Use } from '../limits/limiter.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { Terms } from './terms.js'

export interface TermsParts {
  readonly access: Access
  readonly addresses: Addresses
  readonly admission: Admission
  readonly insight: Insight
  readonly metrics: Metrics
  readonly policy: Policy
}

export class TermsMaker {
  readonly #parts: TermsParts

  constructor(parts: TermsParts) {
    this.#parts = parts
  }

  for(asker: Asker): Terms {
    const { access, addresses, admission, insight, policy } = this.#parts
    const { principal, client, request } = asker
    const address = addresses.of(request)
    return {
      permit: policy.permitFor(asker, address),
      principal,
      address,
      headers: request.headers,
      subject: subjectOf(principal, request.headers),
      enter: admission.isActive ? (use) => this.#enter(principal, use) : undefined,
      requireScopes: (tool) =>
        access.requireScopes(request, principal, tool, (name, lacking) =>
          insight.refusals.lackedScopes({ principal, client, address }, name, lacking.join(' ')),
        ),
    }
  }

  #enter(principal: Principal, use: Use): Entry | Promise<Entry> {
    const entering = this.#parts.admission.enter(use)
    if (!(entering instanceof Promise)) return this.#counted(entering, principal, use)
    return entering.then((entry) => this.#counted(entry, principal, use))
  }

  #counted(entry: Entry, principal: Principal, use: Use): Entry {
    if (entry.isAdmitted) return entry
    this.#parts.metrics.limited(use.method, use.target, entry.reason)
    this.#parts.insight.refusals.limited(principal, use, entry.reason)
    return entry
  }
}
