interface Policies {
  createPolicy(name: string, rules: { createHTML(text: string): string }): { createHTML(text: string): string }
}

/** The one door for markup, named in the content security policy: it comes from our own server, which escaped it. */
const policy = (globalThis as { trustedTypes?: Policies }).trustedTypes?.createPolicy('q', {
  createHTML: (text) => text,
})

export function parse(markup: string): Document {
  return new DOMParser().parseFromString(policy?.createHTML(markup) ?? markup, 'text/html')
}

/** Another page of the dashboard, as a document; null when it cannot be had. */
export async function fetchPage(url: string): Promise<{ readonly page: Document; readonly url: string } | null> {
  try {
    const response = await fetch(url, { headers: { accept: 'text/html' }, credentials: 'same-origin' })
    if (response.status === 403 || !(response.headers.get('content-type') ?? '').startsWith('text/html')) return null
    return { page: parse(await response.text()), url: response.url }
  } catch {
    return null
  }
}
