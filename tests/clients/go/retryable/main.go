// Command retryable asks a URL with hashicorp/go-retryablehttp as it comes, and prints what came of
// it as JSON.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/hashicorp/go-retryablehttp"
)

type seen struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
	// Before is the status of each answer that was not the last.
	Before []int `json:"before"`
}

func main() {
	log.SetFlags(0)
	var result seen
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.ResponseLogHook = func(_ retryablehttp.Logger, response *http.Response) {
		if response.StatusCode != http.StatusOK {
			result.Before = append(result.Before, response.StatusCode)
		}
	}
	response, err := client.Get(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	result.Status, result.Body = response.StatusCode, string(body)
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
