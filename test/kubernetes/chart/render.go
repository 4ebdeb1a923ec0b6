// Renders a Helm chart as helm template does, with the functions that charts use: Helm itself is no package of Debian.
//
//	go run render.go CHART [VALUES.yaml...]
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	yaml "gopkg.in/yaml.v2"
)

type object = map[string]interface{}

func main() {
	chart := os.Args[1]
	values := read(filepath.Join(chart, "values.yaml"))
	for _, path := range os.Args[2:] {
		merge(values, read(path))
	}
	about := read(filepath.Join(chart, "Chart.yaml"))
	context := object{
		"Values":  values,
		"Chart":   object{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": object{"Name": "mcp-junction", "Namespace": "mcp", "Service": "Helm"},
	}
	templates := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := templates.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		check(err)
		return strings.TrimSuffix(string(text), "\n")
	}
	// There is no cluster to look into.
	functions["lookup"] = func(...string) object { return object{} }
	templates.Funcs(functions)
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		template.Must(templates.New(filepath.Base(path)).Parse(string(text)))
	}
	for _, path := range paths {
		if filepath.Ext(path) != ".yaml" {
			continue
		}
		var out bytes.Buffer
		check(templates.ExecuteTemplate(&out, filepath.Base(path), context))
		fmt.Printf("---\n%s\n", out.String())
	}
}

func read(path string) object {
	text, err := os.ReadFile(path)
	check(err)
	var value interface{}
	check(yaml.Unmarshal(text, &value))
	return plain(value).(object)
}

// Maps with keys of any kind, which templates cannot look into, become maps of strings.
func plain(value interface{}) interface{} {
	switch it := value.(type) {
	case map[interface{}]interface{}:
		out := object{}
		for key, member := range it {
			out[fmt.Sprint(key)] = plain(member)
		}
		return out
	case []interface{}:
		for i := range it {
			it[i] = plain(it[i])
		}
	}
	return value
}

func merge(into, from object) {
	for key, value := range from {
		inner, isObject := value.(object)
		known, isKnown := into[key].(object)
		if isObject && isKnown {
			merge(known, inner)
		} else {
			into[key] = value
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
