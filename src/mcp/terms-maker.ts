/** Makes the terms on which each request is served: who asks, what they may do, and how often. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { SubjectToken } from '../../backends/index.js'
import type { Permit } from '../../federation/index.js'
import type { Insight } from '../admin/insight.js'
import type { Access } from '../auth/access.js'
import type { Policy } from '../auth/policy.js'
import type { Asker } from '../auth/rule-input.js'
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

  for(asker: Asker, response?: ServerResponse): Terms {
    return new RequestTerms(this.#parts, asker, response)
  }
}

/** Those of one request. There is one for each, so what few ask for is made when it is asked for. */
class RequestTerms implements Terms {
  readonly permit: Permit | undefined
  readonly principal: Principal
  readonly address: string
  readonly #parts: TermsParts
  readonly #asker: Asker
  readonly #response: ServerResponse | undefined

  constructor(parts: TermsParts, asker: Asker, response: ServerResponse | undefined) {
    this.#parts = parts
    this.#asker = asker
    this.#response = response
    this.principal = asker.principal
    this.address = parts.addresses.of(asker.request)
    this.permit = parts.policy.permitFor(asker, this.address)
  }

  get headers(): IncomingHttpHeaders {
    return this.#asker.request.headers
  }

  get subject(): SubjectToken | undefined {
    return subjectOf(this.principal, this.headers)
  }

  get isLimited(): boolean {
    return this.#parts.admission.isActive
  }

  enter(use: Use): Entry | Promise<Entry> {
    const entering = this.#parts.admission.enter(use)
    if (!(entering instanceof Promise)) return this.#counted(entering, use)
    return entering.then((entry) => this.#counted(entry, use))
  }

  limited(retryAfterMs: number): void {
    const response = this.#response
    // It stands in the head of the answer, which may have been sent.
    if (response === undefined || response.headersSent) return
    response.setHeader('retry-after', String(Math.ceil(retryAfterMs / 1_000)))
  }

  requireScopes(tool: () => string): void {
    const { access, insight } = this.#parts
    if (!access.asksForScopes) return
    const { principal, client, request } = this.#asker
    access.requireScopes(request, principal, tool, (name, lacking) =>
      insight.refusals.lackedScopes(
        { principal, client, address: this.address },
        name,
        lacking.join(' '),
      ),
    )
  }

  #counted(entry: Entry, use: Use): Entry {
    if (entry.isAdmitted) return entry
    this.#parts.metrics.limited(use.method, use.target, entry.reason)
    this.#parts.insight.refusals.limited(this.principal, use, entry.reason)
    return entry
  }
}
