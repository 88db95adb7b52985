// One binary that holds the real control plane: etcd, kube-apiserver and kube-controller-manager as sub-commands.
//
// It is built from the projects' own Go modules (see go.mod), so the real lane needs neither Docker nor root.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const usage = "usage: controlplane etcd|apiserver|controller-manager [flags] | keys DIR"

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	// The components read os.Args themselves, so the sub-command becomes the program's name.
	os.Args = os.Args[1:]
	switch os.Args[0] {
	case "etcd":
		etcdmain.Main(os.Args)
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(manager.NewControllerManagerCommand()))
	case "keys":
		if len(os.Args) != 2 {
			fail(usage)
		}
		if err := writeKeys(os.Args[1]); err != nil {
			fail(err.Error())
		}
	default:
		fail(fmt.Sprintf("unknown component %q; %s", os.Args[0], usage))
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(2)
}
