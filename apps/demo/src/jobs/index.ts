import { bringVisitors } from './bring-visitors.ts'
import { chargeOrder } from './charge-order.ts'
import { renderPrint } from './render-print.ts'
import { sendInvoice } from './send-invoice.ts'
import { sendMail } from './send-mail.ts'
import { shipOrder } from './ship-order.ts'
import { syncStock } from './sync-stock.ts'
import { writeReport } from './write-report.ts'

/** Everything a server of this shop can run. */
export const jobs = [chargeOrder, sendInvoice, sendMail, renderPrint, shipOrder, syncStock, writeReport, bringVisitors]
