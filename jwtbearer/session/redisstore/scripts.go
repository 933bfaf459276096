package redisstore

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed check.lua
	checkSource string
	//go:embed put.lua
	putSource string
	//go:embed revoke.lua
	revokeSource string
	//go:embed endsubject.lua
	endSubjectSource string
	//go:embed trust.lua
	trustSource string
	//go:embed addrevocation.lua
	addRevocationSource string

	checkScript         = redis.NewScript(checkSource)
	putScript           = redis.NewScript(putSource)
	revokeScript        = redis.NewScript(revokeSource)
	endSubjectScript    = redis.NewScript(endSubjectSource)
	trustScript         = redis.NewScript(trustSource)
	addRevocationScript = redis.NewScript(addRevocationSource)
)
