import { startCharts } from './charts.ts'
import { startCopying } from './copy.ts'
import { startDialogs } from './dialogs.ts'
import { startKeys } from './keys.ts'
import { startLive } from './live.ts'
import { startPalette } from './palette.ts'
import { startSearch } from './search.ts'
import { startSelection } from './selection.ts'
import { startSettings } from './settings.ts'
import { startTimes } from './times.ts'

// Every page works without this. It keeps pages up to date, asks questions in dialogs, and saves steps.
document.documentElement.classList.add('js')
startTimes()
startSettings()
startSelection()
startDialogs()
startCharts()
startCopying()
startSearch()
startKeys()
startPalette()
startLive()
// On a narrow screen the pages are a strip that scrolls.
document.querySelector('.nav [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' })
