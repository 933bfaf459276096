package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
)

// The chart carries its colors as a style sheet, so that it can be read on a
// light page and on a dark one, and draws no background of its own.
const chartStyle = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .small { font-size: 11px; fill: #59636e }
.name { text-anchor: end } .ours { font-weight: 600 }
.bar { fill: #8c959f } .bar.ours { fill: #0969da } .axis { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .bar { fill: #656c76 } .bar.ours { fill: #4493f8 } .axis { stroke: #9198a1 }
}
</style>
`

// A panel is one column of bars.
type panel struct {
	title, note string
	value       func(r *row) float64
	label       func(v float64) string
	scale       func(v float64) float64 // to 0…1
	mark        float64                 // a dashed line at this value, if not 0
}

// chart draws the RS256 column of the main table.
func (b *bench) chart(file, caption string) error {
	const names, width, gap, rowHeight, top = 190, 215, 28, 26, 52
	worst := 1.0
	for _, r := range b.active() {
		if r.first["RS256"] == nil || r.repeated["RS256"] == nil || r.server["RS256"] == nil {
			return fmt.Errorf("the chart needs the parts first, repeated and server")
		}
		worst = math.Max(worst, math.Max(r.first["RS256"].ratio(), r.repeated["RS256"].ratio()))
	}
	const least = 0.003 // where the logarithmic axis begins
	ratio := func(v float64) string {
		if v < 0.1 {
			return fmt.Sprintf("%.3fx", v)
		}
		return fmt.Sprintf("%.2fx", v)
	}
	panels := []panel{
		{"First-seen token", "ratio to the bare signature check", func(r *row) float64 { return r.first["RS256"].ratio() }, ratio,
			func(v float64) float64 { return v / worst }, 1},
		{"Repeated token", "ratio to the same, logarithmic", func(r *row) float64 { return r.repeated["RS256"].ratio() }, ratio,
			func(v float64) float64 { return math.Max(0, math.Log(v/least)/math.Log(worst/least)) }, 1},
		{"Whole HTTP server", "share of an unprotected one's req/s", func(r *row) float64 { return quantile(r.server["RS256"].share, 0.5) },
			func(v float64) string { return fmt.Sprintf("%.0f %%", 100*v) }, func(v float64) float64 { return math.Min(v, 1) }, 1},
	}
	rows := b.active()
	total := names + len(panels)*(width+gap)
	height := top + len(rows)*rowHeight + 34
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Cost of a token, RS256, by library">`+"\n", total, height, total, height)
	out.WriteString(chartStyle)
	const full = width - 52 // room for the label after the longest bar
	for i, each := range panels {
		left := names + i*(width+gap) + gap/2
		fmt.Fprintf(&out, `<text class="title" x="%d" y="18">%s</text><text class="small" x="%d" y="35">%s</text>`+"\n", left, html.EscapeString(each.title), left, html.EscapeString(each.note))
		for j, r := range rows {
			v := each.value(r)
			y := top + j*rowHeight
			class := ""
			if r.ours {
				class = " ours"
			}
			if i == 0 {
				fmt.Fprintf(&out, `<text class="name%s" x="%d" y="%d">%s</text>`+"\n", class, names, y+14, html.EscapeString(r.name))
			}
			bar := math.Max(1, each.scale(v)*full)
			fmt.Fprintf(&out, `<rect class="bar%s" x="%d" y="%d" width="%.1f" height="16" rx="2"/><text class="small%s" x="%.1f" y="%d">%s</text>`+"\n",
				class, left, y+2, bar, class, float64(left)+bar+5, y+14, each.label(v))
		}
		if each.mark > 0 {
			at := float64(left) + each.scale(each.mark)*full
			fmt.Fprintf(&out, `<line class="axis" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, top-6, at, top+len(rows)*rowHeight)
		}
	}
	fmt.Fprintf(&out, `<text class="small" x="%d" y="%d">%s</text>`+"\n</svg>\n", gap/2, height-8, html.EscapeString(caption))
	return os.WriteFile(file, out.Bytes(), 0o644)
}
