// Command crdcheck does what an API server does with a CustomResourceDefinition and with objects of
// it, without a server: it validates the definition (structure, defaults, cost of the CEL rules),
// then prunes, defaults and validates each object.
//
//	crdcheck DEFINITION.yaml < objects.json
//
// objects.json is a list of {"name", "object", "before"}; the answer is
// {"definition": [text], "objects": {name: [{"field", "detail"}]}}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	definitions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

type question struct {
	Name   string          `json:"name"`
	Object json.RawMessage `json:"object"`
	Before json.RawMessage `json:"before"`
}

type complaint struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

type answer struct {
	Definition []string               `json:"definition"`
	Objects    map[string][]complaint `json:"objects"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(path string) error {
	definition, err := read(path)
	if err != nil {
		return err
	}
	result := answer{Definition: []string{}, Objects: map[string][]complaint{}}
	for _, problem := range definitions.ValidateCustomResourceDefinition(context.Background(), definition) {
		result.Definition = append(result.Definition, problem.Error())
	}
	checker, err := newChecker(definition)
	if err != nil {
		return err
	}
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return err
	}
	for _, asked := range questions {
		problems, err := checker.check(asked)
		if err != nil {
			return err
		}
		result.Objects[asked.Name] = problems
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func read(path string) (*apiextensions.CustomResourceDefinition, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	external := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, external); err != nil {
		return nil, err
	}
	apiextensionsv1.SetDefaults_CustomResourceDefinition(external)
	apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&external.Spec)
	scheme := runtime.NewScheme()
	install.Install(scheme)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(external, internal, nil); err != nil {
		return nil, err
	}
	// As the server itself would have written it.
	for _, version := range internal.Spec.Versions {
		if version.Storage {
			internal.Status.StoredVersions = []string{version.Name}
		}
	}
	return internal, nil
}

type checker struct {
	structure *schema.Structural
	fields    validation.SchemaValidator
	rules     *cel.Validator
}

func newChecker(definition *apiextensions.CustomResourceDefinition) (*checker, error) {
	// With one version, the conversion moves the schema to the top.
	properties := definition.Spec.Validation.OpenAPIV3Schema
	structure, err := schema.NewStructural(properties)
	if err != nil {
		return nil, err
	}
	fields, _, err := validation.NewSchemaValidator(properties)
	if err != nil {
		return nil, err
	}
	return &checker{structure, fields, cel.NewValidator(structure, true, celconfig.PerCallLimit)}, nil
}

func (c *checker) check(asked question) ([]complaint, error) {
	object, err := c.admit(asked.Object)
	if err != nil {
		return nil, err
	}
	before, err := c.admit(asked.Before)
	if err != nil {
		return nil, err
	}
	problems := validation.ValidateCustomResource(nil, object, c.fields)
	problems = append(problems, listtype.ValidateListSetsAndMaps(nil, c.structure, object)...)
	if len(problems) == 0 {
		var old any // a nil map would count as an object that was empty
		if before != nil {
			old = before
		}
		var broken field.ErrorList
		broken, _ = c.rules.Validate(
			context.Background(), nil, c.structure, object, old, celconfig.RuntimeCELCostBudget)
		problems = append(problems, broken...)
	}
	complaints := []complaint{}
	for _, problem := range problems {
		complaints = append(complaints, complaint{problem.Field, problem.Detail})
	}
	return complaints, nil
}

// admit decodes an object as the server does: prune, drop nulls, fill in defaults.
func (c *checker) admit(data json.RawMessage) (map[string]any, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	var object map[string]any
	if err := utiljson.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	pruning.Prune(object, c.structure, true)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, c.structure)
	defaulting.Default(object, c.structure)
	return object, nil
}
