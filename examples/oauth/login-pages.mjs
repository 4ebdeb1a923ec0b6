// The pages of the example's authorization server: who are you, and may this client do that? No passwords.

const escape = (text) => String(text).replace(/[^\w .:/-]/g, (it) => `&#${it.codePointAt(0)};`)
const button = (name, value, text) =>
  `<button name="${name}" value="${escape(value)}">${escape(text)}</button>`

/** Answers `GET /login/UID` with a page and `POST /login/UID` with the way back to the client. */
export function loginPages(provider, users) {
  return async (request, response) => {
    try {
      const interaction = await provider.interactionDetails(request, response)
      if (request.method === 'POST') {
        const choice = new URLSearchParams(await bodyOf(request))
        const result = await resultOf(provider, interaction, choice, users)
        await provider.interactionFinished(request, response, result)
      } else {
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        response.end(await page(provider, interaction, users))
      }
    } catch (error) {
      // Pages that are out of date, mostly.
      response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error))
    }
  }
}

async function page(provider, { prompt, params, session, uid }, users) {
  const client = await provider.Client.find(params.client_id)
  const name = escape(client?.clientName ?? params.client_id)
  const asked =
    prompt.name === 'login'
      ? `<p>${name} wants to know who you are.</p>${users.map((it) => button('user', it, it)).join(' ')}`
      : `<p>${escape(session.accountId)}, ${name} asks for this at ${escape(params.resource)}:</p>
         <ul>${missing(prompt)
           .map((it) => `<li>${escape(it)}</li>`)
           .join('')}</ul>
         ${button('allow', 'yes', 'Allow')} ${button('allow', 'no', 'Deny')}`
  return `<!doctype html><title>Example login</title>
    <h1>An example: no passwords here</h1><form method="post" action="/login/${uid}">${asked}</form>`
}

/** What the user has not allowed yet. */
function missing({ details }) {
  const { missingOIDCScope = [], missingResourceScopes = {} } = details
  return [...missingOIDCScope, ...Object.values(missingResourceScopes).flat()]
}

async function resultOf(provider, { prompt, params, session, grantId }, choice, users) {
  if (prompt.name === 'login') {
    const user = users.find((it) => it === choice.get('user'))
    return user === undefined ? { error: 'access_denied' } : { login: { accountId: user } }
  }
  if (choice.get('allow') !== 'yes') return { error: 'access_denied' }
  const { accountId } = session
  const grant =
    (grantId && (await provider.Grant.find(grantId))) ||
    new provider.Grant({ accountId, clientId: params.client_id })
  const { missingOIDCScope, missingResourceScopes = {} } = prompt.details
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(' '))
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  return { consent: { grantId: await grant.save() } }
}

async function bodyOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > 1_000) throw new Error('too long')
  }
  return text
}
