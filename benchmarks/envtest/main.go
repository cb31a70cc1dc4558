// Starts and stops controller-runtime's envtest, and prints how many seconds each took.
package main

import (
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	environment := &envtest.Environment{} // its programs are in KUBEBUILDER_ASSETS
	begun := time.Now()
	if _, err := environment.Start(); err != nil {
		panic(err)
	}
	ready := time.Now()
	if err := environment.Stop(); err != nil {
		panic(err)
	}
	fmt.Println(ready.Sub(begun).Seconds(), time.Since(ready).Seconds())
}
