import { Idiomorph } from 'idiomorph'

/** What the reader has opened, ticked or typed is theirs: news from the server never takes it back. */
export function morph(target: Element, news: Element): void {
  void Idiomorph.morph(target, news, {
    morphStyle: 'outerHTML',
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated(name: string, element: Element) {
        if (name === 'open' && (element instanceof HTMLDetailsElement || element instanceof HTMLDialogElement))
          return false
        return !(name === 'checked' || (name === 'value' && element instanceof HTMLInputElement))
      },
      // The morph would set a box to what the markup says; the reader has said otherwise.
      beforeNodeMorphed: (old: Element) => !(old instanceof HTMLInputElement && old.type === 'checkbox' && old.checked),
    },
  })
}
