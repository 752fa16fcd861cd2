// Keeps a part of the page as the server sees it. Without this script, reloading shows the same.
for (const part of document.querySelectorAll('[data-live]')) {
  const source = new EventSource(part.dataset.live)
  source.addEventListener('message', ({ data }) => {
    const next = document.createElement('div')
    next.innerHTML = JSON.parse(data)
    become(part, next)
  })
  source.addEventListener('end', () => source.close())
}

/** Changes what differs and leaves the rest alone, so that focus stays and bars move instead of jumping. */
function become(old, next) {
  const fresh = [...next.childNodes]
  for (const [index, node] of fresh.entries()) {
    const present = old.childNodes[index]
    if (present === undefined) old.append(node)
    else if (present.nodeName !== node.nodeName) present.replaceWith(node)
    else if (node instanceof Element) {
      for (const name of present.getAttributeNames()) if (!node.hasAttribute(name)) present.removeAttribute(name)
      for (const { name, value } of node.attributes) {
        if (present.getAttribute(name) !== value) present.setAttribute(name, value)
      }
      become(present, node)
    } else if (present.textContent !== node.textContent) present.textContent = node.textContent
  }
  while (old.childNodes.length > fresh.length) old.lastChild.remove()
}
