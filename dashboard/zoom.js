// Tells the server what is zoomed to in each chart that has a name for its zoom (layout.meta.zoom).

const zooms = {}

function zoomOf(layout) {
  const axes = Object.entries(layout).filter(([name, axis]) => /^[xy]axis\d*$/.test(name) && axis?.autorange === false)
  return Object.fromEntries(axes.map(([name, axis]) => [name, axis.range]))
}

export default function ({ setStateValue }) {
  const heard = new Map()

  function hear(chart) {
    const name = chart.layout?.meta?.zoom
    if (name === undefined || heard.has(chart) || chart.on === undefined) return
    const tell = () => {
      // One element serves a chart after another: the name is that of now.
      const zoom = zoomOf(chart.layout)
      const id = chart.layout.meta?.zoom
      if (id === undefined || JSON.stringify(zoom) === JSON.stringify(zooms[id] ?? {})) return
      if (Object.keys(zoom).length) zooms[id] = zoom
      else delete zooms[id]
      setStateValue("zooms", { ...zooms })
    }
    chart.on("plotly_relayout", tell)
    heard.set(chart, tell)
  }

  const look = () => {
    for (const chart of heard.keys()) if (!chart.isConnected) heard.delete(chart)
    document.querySelectorAll(".js-plotly-plot").forEach(hear)
  }
  const observer = new MutationObserver(look)
  observer.observe(document.body, { childList: true, subtree: true })
  look()
  return () => {
    observer.disconnect()
    for (const [chart, tell] of heard) chart.removeListener?.("plotly_relayout", tell)
  }
}
